"""Which files can be read, by the end of their names; apart from the reader, whose imports are heavy."""

from __future__ import annotations

from creditops.reading.packed import PACKED

TEXT = (".csv", ".tsv", ".txt")
JSON_LINES = (".jsonl", ".ndjson")
EXCEL = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
PARQUET = (".parquet",)
SUFFIXES = (*TEXT, *JSON_LINES, *EXCEL, *PARQUET, *PACKED)


def kind_of(name: str) -> str | None:
    """What a file of this (unpacked) name holds; ``None`` if nothing that can be read."""
    lower = name.lower()
    kinds = {"text": TEXT, "json": JSON_LINES, "excel": EXCEL, "parquet": PARQUET}
    return next((kind for kind, suffixes in kinds.items() if lower.endswith(suffixes)), None)
