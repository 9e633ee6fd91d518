"""Writes a sheet as OpenDocument (.ods), which no library of the environment does."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

_NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
    for short in ("office", "text", "table")
)


def write_ods(path: Path, rows: Sequence[Sequence[str | float | date | None]]) -> None:
    """A workbook with one sheet; a text that begins with ``#`` is an error of a formula."""
    body = "".join(f"<table:table-row>{''.join(map(_cell, row))}</table:table-row>" for row in rows)
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_NAMES} office:version="1.2">'
        f'<office:body><office:spreadsheet><table:table table:name="S">{body}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:'
            f'manifest:1.0"><manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
            "</manifest:manifest>",
        )


def _cell(value: str | float | date | None) -> str:
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, str):
        kind = (
            'office:value-type="string" table:formula="of:=1/0"'
            if value.startswith("#")
            else 'office:value-type="string"'
        )
        return f"<table:table-cell {kind}><text:p>{escape(value)}</text:p></table:table-cell>"
    if isinstance(value, date):
        return f'<table:table-cell office:value-type="date" office:date-value="{value.isoformat()}"/>'
    return f'<table:table-cell office:value-type="float" office:value="{value!r}"/>'
