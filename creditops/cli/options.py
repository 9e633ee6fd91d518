"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from creditops import identity
from creditops.personal_data import masked

Book = Annotated[str, typer.Option("--book", "-b", help="The book (portfolio).")]
AnyBook = Annotated[str | None, typer.Option("--book", "-b", help="Only this book.")]
AsOf = Annotated[str, typer.Option("--as-of", help="The day, YYYY-MM-DD.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Reason = Annotated[
    str,
    typer.Option(
        "--reason", callback=masked, help="Why; kept in the audit trail, personal data in it masked."
    ),
]
Actor = Annotated[
    str,
    typer.Option(
        "--actor",
        envvar="CREDITOPS_ACTOR",
        default_factory=identity.current_actor,
        callback=identity.acting,
        show_default="you",
        help="Who decides, if not you; asks for that person's password. Kept in the audit trail.",
    ),
]
