"""A simulated book read back from its files, as a consumer of the contracts would."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from creditops.simulate import Summary
from creditops.simulate.files.source_files import TRUTH
from creditops.sources.contract import load_contracts

_TYPES = {
    "money": pl.Float64,
    "rate": pl.Float64,
    "date": pl.Date,
    "bool": pl.Boolean,
    "int": pl.Int64,
}


@dataclass
class SimulatedBook:
    """Source files typed by their contracts, truth files by their layout; each is read once."""

    summary: Summary
    _frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    _parts: dict[str, dict[tuple[object, ...], pl.DataFrame]] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return self.summary.directory

    def __getitem__(self, name: str) -> pl.DataFrame:
        """The file ``name``; disputes in their last state."""
        if name not in self._frames:
            frame = self._read(name)
            if name == "disputes":
                both = pl.concat([frame, self._read("disputes.resolved")])
                frame = both.unique("dispute_id", keep="last", maintain_order=True)
            self._frames[name] = frame
        return self._frames[name]

    def _read(self, name: str) -> pl.DataFrame:
        path = self.directory / f"{name}.csv"
        if name.startswith("truth/"):
            forms = {column: form for column, form, _ in TRUTH[name.removeprefix("truth/")]}
            types = {column: _TYPES.get(form, pl.String) for column, form in forms.items()}
            return pl.read_csv(path, schema_overrides=types, infer_schema=False)
        contract = load_contracts()[name.partition(".")[0]]
        types = {column.name: _TYPES.get(column.type, pl.String) for column in contract.columns}
        frame = pl.read_csv(path, schema_overrides=types, infer_schema=False)
        stamps = [column.name for column in contract.columns if column.type == "ts"]
        return frame.with_columns(pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%SZ") for name in stamps)

    def of_facility(self, name: str, facility_id: str) -> pl.DataFrame:
        """Rows of one facility."""
        if name not in self._parts:
            self._parts[name] = self[name].partition_by("facility_id", as_dict=True, maintain_order=True)
        return self._parts[name].get((facility_id,), self[name].clear())

    def opened(self) -> pl.DataFrame:
        """First row of each facility, with its customer's segment (retail, corporate, trade)."""
        first = self["facilities"].unique("facility_id", keep="first", maintain_order=True)
        kinds = {"IL": "retail", "RC": "retail", "TL": "corporate", "TC": "trade"}
        segment = pl.col("product_id").str.slice(0, 2).replace_strict(kinds)
        return first.with_columns(segment.alias("segment"))

    def segments(self) -> pl.DataFrame:
        """customer_id and segment."""
        return self.opened().select("customer_id", "segment").unique(maintain_order=True)
