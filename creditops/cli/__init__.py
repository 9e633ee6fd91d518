"""The command line ``creditops``.

Exit codes: 0 done; 2 wrong use; 3 data refused by a contract or a gate; 4 a service is not
reachable; 1 anything else. A traceback is shown only with ``--debug``.
"""

from __future__ import annotations

import errno
import getpass
import os
import sys
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from creditops import __version__
from creditops.cli import (
    actions,
    adapters,
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
from creditops.cli.output import as_json
from creditops.errors import CreditOpsError, UsageError

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
app.add_typer(adapters.app, name="adapters")
app.add_typer(warnings_.app, name="warnings")
app.add_typer(actions.app, name="actions")
app.add_typer(explain.app, name="explain")


def main() -> None:
    """Entry point: runs a command and turns errors into a message and an exit code.

    Where the command was asked for JSON, its error is JSON too, on stdout:
    ``{"error": {"message", "hint", "exit_code"}}`` beside what the command has to say otherwise.
    """
    # What the platform keeps is for the user who runs it.
    os.umask(0o077)
    try:
        code = app(standalone_mode=not _asked_for_json())
        if isinstance(code, int) and code:  # a command that ended with a code of its own
            sys.exit(code)
    except typer.TyperException as error:  # wrong use; without --json typer says it by itself
        _fail(UsageError(str(error), hint="see --help"))
    except CreditOpsError as error:
        if os.environ.get("CREDITOPS_DEBUG"):
            raise
        _fail(error)
    except (KeyboardInterrupt, typer.Abort):
        Console(stderr=True).print("stopped; nothing half-done is kept")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("CREDITOPS_DEBUG"):
            raise
        _fail(_as_ours(error))


def _asked_for_json() -> bool:
    return "--json" in sys.argv[1:]


def _fail(error: CreditOpsError) -> NoReturn:
    """Say an error and end with its exit code."""
    if _asked_for_json():
        what = {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}
        as_json({"error": what, **error.details})
    else:
        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
        if error.hint:
            console.print(f"[bold]what to do:[/] {escape(error.hint)}", soft_wrap=True)
    sys.exit(error.exit_code)


def _as_ours(error: Exception) -> CreditOpsError:
    """An error that nobody foresaw, with what can be said of it."""
    path = getattr(error, "filename", None)
    if isinstance(error, PermissionError) and path:
        return UsageError(
            f"{path}: this user may not read or write it",
            hint=f"give {getpass.getuser()} the right to it and to the folders above it, or run as its owner",
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return CreditOpsError(
            f"no space is left{f' for {path}' if path else ''}",
            hint="free some, then run again: what was half done is undone",
        )
    return CreditOpsError(
        f"{type(error).__name__}: {error}", hint="run again with `creditops --debug ...` for the details"
    )
