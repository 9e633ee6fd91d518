"""The command line ``creditops``.

Exit codes: 0 done; 2 wrong use; 3 data refused by a contract or a gate; 4 a service is not
reachable; 1 anything else. A traceback is shown only with ``--debug``.
"""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from creditops import __version__
from creditops.cli import (
    actions,
    data,
    demo,
    explain,
    limits,
    models,
    places,
    publications,
    reconciliation,
    runs,
    services,
    sources,
    warnings_,
)
from creditops.errors import CreditOpsError

app = typer.Typer(
    name="creditops",
    help="Data platform for credit operations (信用运营): ingest, warehouse, gates, scorecards, publication.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", is_eager=True, callback=_show_version
    ),
) -> None:
    if debug:
        os.environ["CREDITOPS_DEBUG"] = "1"


for module in (services, data, reconciliation, places, runs, publications, limits, demo):
    module.register(app)
app.add_typer(models.app, name="models")
app.add_typer(sources.app, name="sources")
app.add_typer(warnings_.app, name="warnings")
app.add_typer(actions.app, name="actions")
app.add_typer(explain.app, name="explain")


def main() -> None:
    """Entry point: runs a command and turns errors into a message and an exit code."""
    error_console = Console(stderr=True, highlight=False)
    # What the platform keeps is for the user who runs it.
    os.umask(0o077)
    try:
        app()
    except CreditOpsError as error:
        if os.environ.get("CREDITOPS_DEBUG"):
            raise
        error_console.print(f"[bold red]error:[/] {_escape(error.message)}", soft_wrap=True)
        if error.hint:
            error_console.print(f"[bold]what to do:[/] {_escape(error.hint)}", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        error_console.print("stopped; nothing half-done is kept")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("CREDITOPS_DEBUG"):
            raise
        error_console.print(
            f"[bold red]error:[/] {type(error).__name__}: {_escape(str(error))}", soft_wrap=True
        )
        error_console.print("[bold]what to do:[/] run again with `creditops --debug ...` for the details")
        sys.exit(1)


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
