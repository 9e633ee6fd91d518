"""``creditops fetch``: brings into the landing zone what places have for a book."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from creditops.books import check_book
from creditops.errors import UsageError
from creditops.places.fetched import Fetched
from creditops.places.place import AnyPlace, Database, HttpApi, broken_places, load_places, place_folders


def fetch(book: str, name: str | None = None, day: date | None = None) -> Iterator[Fetched]:
    """Fetch from one place, or from all that the book may use; what lies in the landing zone already is
    not fetched again.

    Parameters
    ----------
    day: only deliveries of this day; for queries and requests, the day they are fetched for.

    Raises
    ------
    UsageError: no such place, or its declaration is faulty; what other places have is fetched before.
    ServiceUnreachableError: a place does not answer; what came before is kept.
    """
    places = load_places(check_book(book))
    broken = [each for each in broken_places(book) if name is None or each.place == name]
    if name is not None and name not in places and broken:
        raise broken[0].error
    if name is not None and name not in places:
        raise UsageError(
            f"book {book} has no place {name!r}",
            hint=f"declare it in {place_folders()[0]}; places: {', '.join(places) or 'none'}",
        )
    if not places and not broken:
        raise UsageError(
            f"no place is declared for book {book}",
            hint=f"write one in {place_folders()[0]}, see docs/sources.md",
        )
    for each in [places[name]] if name is not None else places.values():
        yield from _fetch_place(each, book, day)
    if name is None and broken:
        raise broken[0].error


def _fetch_place(place: AnyPlace, book: str, day: date | None) -> Iterator[Fetched]:
    if isinstance(place, Database):
        from creditops.places.database import fetch_rows

        return fetch_rows(place, book, day)
    if isinstance(place, HttpApi):
        from creditops.places.http_api import fetch_pages

        return fetch_pages(place, book, day)
    from creditops.places.files import fetch_files

    return fetch_files(place, book, day)
