"""Faults of whole files: header, lines, bytes, packing, and what is delivered beside them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np

from creditops.simulate.faults.fault import Injection
from creditops.simulate.faults.table import Table


def table_fault(source: str, change: Callable[[Table, np.random.Generator], int | None]) -> Injection:
    """Change header and rows; affected are the rows that ``change`` counts, by default all."""

    def inject(folder: Path, rng: np.random.Generator) -> int:
        table = Table.read(folder, source)
        affected = change(table, rng)
        table.write()
        return len(table.rows) if affected is None else affected

    return inject


def byte_fault(source: str, change: Callable[[bytes], bytes], suffix: str = ".csv") -> Injection:
    """Change the bytes of the file, perhaps its suffix; affected are all its rows."""

    def inject(folder: Path, rng: np.random.Generator) -> int:
        rows = len(Table.read(folder, source).rows)
        path = folder / f"{source}.csv"
        content = change(path.read_bytes())
        path.unlink()
        (folder / f"{source}{suffix}").write_bytes(content)
        return rows

    return inject


def beside(
    source: str, name: str, make: Callable[[Table, np.random.Generator], tuple[Table, int]]
) -> Injection:
    """Deliver a second file ``<source>.<name>.csv``; ``make`` may take rows out of the first."""

    def inject(folder: Path, rng: np.random.Generator) -> int:
        table = Table.read(folder, source)
        other, affected = make(table, rng)
        table.write()
        other.write(folder / f"{source}.{name}.csv")
        return affected

    return inject


def drop_column(name: str) -> Callable[[Table, np.random.Generator], None]:
    """The column is not delivered."""

    def change(table: Table, rng: np.random.Generator) -> None:
        at = table.place(name)
        table.header.pop(at)
        for row in table.rows:
            row.pop(at)

    return change


def rename_column(name: str, to: str) -> Callable[[Table, np.random.Generator], None]:
    """The column is delivered under another name; under one that exists it appears twice."""

    def change(table: Table, rng: np.random.Generator) -> None:
        table.header[table.place(name)] = to

    return change


def add_column(table: Table, rng: np.random.Generator) -> None:
    """A column that the contract does not know."""
    table.header.insert(1, "branch_code")
    for row in table.rows:
        row.insert(1, "0755")


def reorder_columns(table: Table, rng: np.random.Generator) -> None:
    """The columns in another order."""
    table.header.reverse()
    for row in table.rows:
        row.reverse()


def drop_header(table: Table, rng: np.random.Generator) -> None:
    """The first row stands in the header's place."""
    table.header = table.rows.pop(0)


def repeat_header(table: Table, rng: np.random.Generator) -> int:
    """Two files were joined: the header stands once more in the middle."""
    table.rows.insert(len(table.rows) // 2, list(table.header))
    return 1


def lose_field(table: Table, rng: np.random.Generator) -> int:
    """A few rows lack their last field and its comma."""
    chosen = table.some(rng)
    for number in chosen:
        table.rows[number].pop()
    return len(chosen)


def stray_comma(table: Table, rng: np.random.Generator) -> int:
    """An unquoted comma in a few rows makes one field two."""
    chosen = table.some(rng)
    for number in chosen:
        table.rows[number].insert(3, "stray")
    return len(chosen)


def trailing_comma(table: Table, rng: np.random.Generator) -> None:
    """Every line, the header too, ends with a comma."""
    table.header.append("")
    for row in table.rows:
        row.append("")


def keep_header_only(table: Table, rng: np.random.Generator) -> None:
    """Nothing but the header."""
    table.rows.clear()


def blank_lines(content: bytes) -> bytes:
    """A blank line after every tenth."""
    lines = content.splitlines(keepends=True)
    return b"".join(line + (b"\n" if number % 10 == 9 else b"") for number, line in enumerate(lines))


def mixed_line_ends(content: bytes) -> bytes:
    """Every other line ends as on Windows."""
    lines = content.splitlines()
    return b"".join(line + (b"\r\n" if number % 2 else b"\n") for number, line in enumerate(lines))


def cut_last_line(content: bytes) -> bytes:
    """The transfer broke off in the second field of the last line."""
    lines = content.rstrip(b"\n").splitlines(keepends=True)
    last = lines[-1].split(b",")
    return b"".join([*lines[:-1], last[0], b",", last[1][:2]])


def unclosed_quote(content: bytes) -> bytes:
    """A quote opens in the middle and never closes."""
    lines = content.splitlines(keepends=True)
    lines[len(lines) // 2] = b'"' + lines[len(lines) // 2]
    return b"".join(lines)


def neither_encoding(content: bytes) -> bytes:
    """Bytes that neither UTF-8 nor GB18030 has, in the last line."""
    return content.rstrip(b"\n") + b"\xff\xff\xff\n"


def as_gb18030(content: bytes) -> bytes:
    """Written by a system that still uses GB18030."""
    return content.decode().encode("gb18030")


def with_bom(content: bytes) -> bytes:
    """UTF-8 with a byte order mark."""
    return b"\xef\xbb\xbf" + content


def cut_gzip(content: bytes) -> bytes:
    """A gzip archive of which the second half is missing."""
    packed = gzip.compress(content, mtime=0)
    return packed[: len(packed) // 2]


def damaged_gzip(content: bytes) -> bytes:
    """A gzip archive whose check sum does not fit."""
    packed = bytearray(gzip.compress(content, mtime=0))
    packed[-6] ^= 0xFF
    return bytes(packed)


def whole_gzip(content: bytes) -> bytes:
    """A sound gzip archive."""
    return gzip.compress(content, mtime=0)


def same_again(table: Table, rng: np.random.Generator) -> tuple[Table, int]:
    """The same file under another name."""
    return Table(table.path, table.header, table.rows), len(table.rows)


def late_rows(table: Table, rng: np.random.Generator) -> tuple[Table, int]:
    """A tenth of the rows come in a second file."""
    chosen = set(table.some(rng, count=max(1, len(table.rows) // 10)))
    late = [row for number, row in enumerate(table.rows) if number in chosen]
    table.rows = [row for number, row in enumerate(table.rows) if number not in chosen]
    return Table(table.path, table.header, late), len(late)


def restated(column: str) -> Callable[[Table, np.random.Generator], tuple[Table, int]]:
    """A few rows come again with another value of ``column``."""

    def make(table: Table, rng: np.random.Generator) -> tuple[Table, int]:
        at = table.place(column)
        again = [list(table.rows[number]) for number in table.some(rng, column)]
        for row in again:
            row[at] = f"{float(row[at]) * 0.8:.2f}"
        return Table(table.path, table.header, again), len(again)

    return make


def shrunk(table: Table, rng: np.random.Generator) -> tuple[Table, int]:
    """The next full list lacks 40 % of its rows."""
    kept = sorted(rng.choice(len(table.rows), round(len(table.rows) * 0.6), replace=False).tolist())
    return Table(table.path, table.header, [table.rows[number] for number in kept]), len(table.rows) - len(
        kept
    )
