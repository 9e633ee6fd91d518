"""Commands on what people read: publications and the credit report."""

from __future__ import annotations

from typing import Annotated

import typer

from creditops.books import check_book, parse_day
from creditops.cli.options import Actor, AnyBook, AsJson, Book, Reason
from creditops.cli.output import as_json, console, table
from creditops.errors import UsageError

publish_app = typer.Typer(help="Publications: list, show, roll back.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(publish_app, name="publish")
    app.command()(report)


@publish_app.command("list")
def publish_list(book: AnyBook = None, json_: AsJson = False) -> None:
    """Every publication, newest day first; the current one is marked."""
    from creditops.publish.publisher import publications

    rows = publications(book)
    if json_:
        as_json(rows)
        return
    table(rows, ("publication_id", "book", "as_of_date", "status", "current", "published_at"))


@publish_app.command("show")
def publish_show(publication_id: str, json_: AsJson = False) -> None:
    """One publication: models, gates, versions."""
    from creditops.publish.publisher import publications

    for row in publications():
        if row["publication_id"] == publication_id:
            if json_:
                as_json(row)
                return
            for name, value in row.items():
                if name != "gates":
                    console.print(f"{name}: {value}", markup=False)
            table(row["gates"], ("table", "check", "severity", "passed", "rows_checked", "rows_failed"))
            return
    raise UsageError(f"there is no publication {publication_id!r}", hint="see `creditops publish list`")


@publish_app.command("check")
def publish_check(publication_id: str, json_: AsJson = False) -> None:
    """What a kept publication says of one customer that must not stand together."""
    from creditops.publish.publisher import publications
    from creditops.quality.gate import as_json as checks_as_json
    from creditops.quality.gate import check_coherence

    if publication_id not in {row["publication_id"] for row in publications()}:
        raise UsageError(f"there is no publication {publication_id!r}", hint="see `creditops publish list`")
    checks = checks_as_json(check_coherence(publication_id))
    if json_:
        as_json(checks)
        return
    found = [check for check in checks if not check["passed"]]
    table(found, ("check", "severity", "rows_checked", "rows_failed", "examples"))
    console.print(f"{len(checks)} statements compared, {len(found)} contradictions", markup=False)


@publish_app.command("rollback")
def publish_rollback(
    reason: Reason,
    actor: Actor,
    book: Book = "demo",
    to: Annotated[str | None, typer.Option(help="Publication; default the one before.")] = None,
) -> None:
    """Point a book's views back at an earlier publication, at once."""
    from creditops.publish.publisher import rollback

    console.print(f"{book} now shows {rollback(book, to=to, actor=actor, reason=reason)}", markup=False)


def report(
    book: Book = "demo",
    as_of: Annotated[str | None, typer.Option("--as-of", help="Day; default what is current.")] = None,
    lang: Annotated[str, typer.Option(help="zh or en.")] = "zh",
) -> None:
    """Render the credit report of a publication as one HTML file."""
    from creditops.report import render

    if lang not in ("zh", "en"):
        raise UsageError(f"--lang {lang!r} is not known", hint="use zh or en")
    with console.status("rendering"):
        path = render(
            check_book(book), parse_day(as_of) if as_of else None, lang="zh" if lang == "zh" else "en"
        )
    console.print(str(path), soft_wrap=True, markup=False)
