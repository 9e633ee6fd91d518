"""``creditops models``: the registry in the field's own words, on MLflow."""

from __future__ import annotations

import typer

from creditops.cli.options import Actor, AnyBook, AsJson, Reason
from creditops.cli.output import as_json, console, table

app = typer.Typer(help="Scorecards: list, show, compare, approve, reject, roll back.", no_args_is_help=True)


@app.command("list")
def list_(book: AnyBook = None, json_: AsJson = False) -> None:
    """Registered scorecards with their versions and aliases."""
    from models_ml import registry

    rows = registry.list_versions(book)
    if json_:
        as_json(rows)
        return
    table(rows, ("name", "version", "aliases", "gates", "auc_holdout", "created_at"), title="scorecards")


@app.command()
def show(name: str, version: str = typer.Argument("champion"), json_: AsJson = False) -> None:
    """One version: metrics, gates, who let it."""
    from models_ml import registry

    found = registry.show(name, version)
    if json_:
        as_json(found)
        return
    for key, value in found.items():
        if key not in ("metrics", "gates"):
            console.print(f"{key}: {value}", markup=False)
    table([{"metric": k, "value": v} for k, v in sorted(found["metrics"].items())], ("metric", "value"))
    table(found["gates"], ("gate", "passed", "value", "limit", "detail"), title="gates")


@app.command()
def compare(name: str, a: str, b: str, json_: AsJson = False) -> None:
    """Two versions side by side."""
    from models_ml import registry

    rows = registry.compare(name, a, b)
    if json_:
        as_json(rows)
    else:
        table(rows, tuple(rows[0]) if rows else (), title=f"{name}: {a} and {b}")


@app.command()
def approve(name: str, version: str, reason: Reason, actor: Actor) -> None:
    """Let a version that passed its gates become champion."""
    from models_ml import registry

    registry.approve(name, version, actor=actor, reason=reason)
    console.print(f"{name} version {version} is champion", markup=False)


@app.command()
def reject(name: str, version: str, reason: Reason, actor: Actor) -> None:
    """Refuse a challenger."""
    from models_ml import registry

    registry.reject(name, version, actor=actor, reason=reason)
    console.print(f"{name} version {version} is rejected", markup=False)


@app.command()
def rollback(name: str, reason: Reason, actor: Actor) -> None:
    """Give the alias champion back to the version before."""
    from models_ml import registry

    version = registry.rollback(name, actor=actor, reason=reason)
    console.print(f"{name} version {version} is champion again", markup=False)
