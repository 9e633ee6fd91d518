"""How commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_console = Console(highlight=False)
console = _console if _console.is_terminal else Console(highlight=False, width=140)


def as_json(value: Any) -> None:
    """Print a value as JSON on stdout; dates and decimals as text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def attention(sentences: Sequence[str]) -> None:
    """Print what a person should know although all went well, a line each."""
    for sentence in sentences:
        console.print(f"[yellow]warning[/] {escape(sentence)}", soft_wrap=True)


def table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    title: str | None = None,
    width: int | None = None,
) -> None:
    """Print rows as a table, of at most ``width`` characters; an empty one says so."""
    if not rows:
        console.print(f"{title or 'table'}: none", markup=False)
        return
    shown = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        number = all(isinstance(row.get(column), int | float | None) for row in rows)
        shown.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(_cell(row.get(column)) for column in columns))
    console.print(shown, width=min(width, console.width) if width else None)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str).replace("[", r"\[")
    return str(value).replace("[", r"\[")
