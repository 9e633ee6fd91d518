"""What a person should know at the end of a load or run although it ended well: nothing of it stops the line.

Rows in quarantine, facilities set aside, warnings of the gates, files that are not taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from creditops.quality.set_aside import CHECK
from creditops.warehouse.connection import connect

_SHOWN = 5


def of_load(batches: Sequence[int]) -> list[str]:
    """Sentences on the rows that some loads put into quarantine; none where there are none."""
    with connect("loader") as connection:
        rows = connection.execute(
            "select book, source, count(*) from ops.quarantine where batch_id = any(%s) and status = 'open'"
            " group by book, source order by book, source",
            (list(batches),),
        ).fetchall()
    return [_quarantine(rows, rows[0][0])] if rows else []


def of_day(book: str, as_of: date) -> list[str]:
    """Sentences on a book and day: open quarantine, facilities set aside, gate warnings, files not taken."""
    with connect("publisher") as connection:
        open_rows = connection.execute(
            "select book, source, count(*) from ops.quarantine where book = %s and status = 'open'"
            " group by book, source order by book, source",
            (book,),
        ).fetchall()
        warned = connection.execute(
            "select gate, source, check_name, rows_failed, rows_checked, examples from ops.gate_result"
            " where book = %s and as_of_date = %s and not passed and severity = 'warning'"
            " order by gate = 'build' desc, gate desc, rows_failed desc, source, check_name",
            (book, as_of),
        ).fetchall()
        strays = connection.execute(
            "select distinct on (file) split_part(file, '/', 3), message from ops.load_ledger"
            " where book = %s and delivery_date = %s and status = 'not_taken' order by file, batch_id desc",
            (book, as_of),
        ).fetchall()
    found = [_quarantine(open_rows, book)] if open_rows else []
    for gate, source, check, failed, checked, examples in warned[:_SHOWN]:
        example = f", e.g. {examples[0]}" if examples else ""
        if gate == "build" and check.startswith(CHECK):
            found.append(
                f"{failed} of {checked} facilities are set aside: {check.partition(': ')[2]}{example};"
                f" `creditops quarantine facilities --book {book}` lists them"
            )
        else:
            found.append(f"{gate} gate, {source}: {check}: {failed} of {checked} rows{example}")
    if len(warned) > _SHOWN:
        found.append(f"and {len(warned) - _SHOWN} more warnings of the gates: publish.data_quality")
    found += [f"{file} is not taken: {why}" for file, why in strays[:_SHOWN]]
    if len(strays) > _SHOWN:
        found.append(f"and {len(strays) - _SHOWN} more files: `creditops ledger --book {book}`")
    return found


def _quarantine(rows: Sequence[tuple[str, str, int]], book: str) -> str:
    by_source = ", ".join(f"{source} {count:,}" for _, source, count in rows)
    total = sum(count for _, _, count in rows)
    return (
        f"{total:,} rows are in quarantine ({by_source}); `creditops quarantine list --book {book}` says why"
    )
