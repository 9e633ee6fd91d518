"""``creditops fetch`` and ``creditops places``: files and rows from where they are delivered."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from creditops.books import parse_day
from creditops.cli.options import AnyBook, AsJson
from creditops.cli.output import as_json, attention, console, table

places_app = typer.Typer(help="Places that source files come from.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command()(fetch)
    app.add_typer(places_app, name="places")


def fetch(
    book: Annotated[str, typer.Argument(help="The book to fetch for.")],
    place: Annotated[str | None, typer.Argument(help="One place; default all of the book.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Only deliveries of this day.")] = None,
    json_: AsJson = False,
) -> None:
    """Bring into the landing zone what places have; nothing is fetched twice."""
    from creditops.places.fetch import fetch as run

    rows: list[dict[str, Any]] = []
    try:
        with console.status("fetching") as status:
            for each in run(book, place, parse_day(as_of) if as_of else None):
                rows.append(vars(each))
                status.update(f"fetched {each.file}")
    finally:  # what came before a place failed is landed, so it is shown
        if json_:
            as_json(rows)
        else:
            table(rows, ("place", "source", "delivery", "file", "rows", "bytes", "seconds"), title="fetched")


@places_app.command("list")
def list_(book: AnyBook = None, json_: AsJson = False) -> None:
    """Declared places, and when each last gave something."""
    from creditops.errors import ServiceUnreachableError
    from creditops.places.place import broken_places, load_places
    from creditops.warehouse.connection import connect

    last: dict[str, Any] = {}
    try:
        with connect("loader") as connection:
            last = dict(
                connection.execute(
                    "select place, max(fetched_at) from ops.fetch_ledger group by place"
                ).fetchall()
            )
    except ServiceUnreachableError:
        pass  # the declarations can be listed all the same
    rows = [
        {
            "place": name,
            "kind": place.kind,
            "books": ", ".join(place.books) or "all",
            "last fetched": last.get(name),
            "about": f"{place.description.en} / {place.description.zh}" if place.description else "",
            "problem": None,
        }
        for name, place in load_places(book).items()
    ]
    broken = broken_places(book)
    if json_:
        as_json([*rows, *({"place": each.place, "problem": str(each.error)} for each in broken)])
    else:
        table(rows, ("place", "kind", "books", "last fetched", "about"), title="places")
        attention([str(each.error) for each in broken])
