"""Two versions of a scorecard side by side: facts, figures, gates, characteristics; also as a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from models_ml.card.points_table import Characteristic, PointsTable
from models_ml.store import versions

_FACTS = ("version", "status", "gates", "as_of", "seed", "snapshot_id", "code_version", "trained_by",
          "trained_because", "decided_by", "decided_at", "reason")  # fmt: skip


@dataclass(frozen=True)
class VersionComparison:
    """Rows of four tables, each with ``a`` and ``b``.

    ``facts``: fact. ``metrics``: metric, difference (b less a). ``gates``: gate, with the finding.
    ``characteristics``: characteristic, in (a, b, both), iv_a, iv_b, range_a, range_b (points from the
    worst bin to the best), change (what differs in cuts and points).
    """

    name: str
    a: str
    b: str
    facts: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    gates: list[dict[str, Any]]
    characteristics: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def compare(name: str, a: str, b: str) -> VersionComparison:
    """Compare versions ``a`` and ``b`` (numbers or aliases) of a registered model.

    Raises
    ------
    UsageError: one of them does not exist.
    """
    first, second = versions.show(name, a), versions.show(name, b)
    metrics = [
        {"metric": key, "a": x, "b": y, "difference": None if x is None or y is None else y - x}
        for key in sorted({*first["metrics"], *second["metrics"]})
        for x, y in [(first["metrics"].get(key), second["metrics"].get(key))]
    ]
    gates = {gate["gate"]: [gate, None] for gate in first["gates"]}
    for gate in second["gates"]:
        gates.setdefault(gate["gate"], [None, None])[1] = gate
    return VersionComparison(
        name,
        first["version"],
        second["version"],
        [{"fact": key, "a": first.get(key), "b": second.get(key)} for key in _FACTS],
        metrics,
        [{"gate": key, "a": _finding(x), "b": _finding(y)} for key, (x, y) in gates.items()],
        characteristic_changes(
            versions.load_table(name, first["version"]), versions.load_table(name, second["version"])
        ),
    )


def characteristic_changes(a: PointsTable | None, b: PointsTable | None) -> list[dict[str, Any]]:
    """What changed from points table ``a`` to ``b``, by characteristic; the change log of a version."""
    of_a = {each.name: each for each in a.characteristics} if a else {}
    of_b = {each.name: each for each in b.characteristics} if b else {}
    rows = []
    for name in [*of_b, *(name for name in of_a if name not in of_b)]:
        x, y = of_a.get(name), of_b.get(name)
        rows.append(
            {
                "characteristic": name,
                "in": "both" if x and y else "a" if x else "b",
                "iv_a": x.iv if x else None,
                "iv_b": y.iv if y else None,
                "range_a": _range(x),
                "range_b": _range(y),
                "change": _change(x, y),
            }
        )
    return rows


def render(found: VersionComparison) -> str:
    """The comparison as a page of its own, in Chinese and English."""
    from jinja2 import Environment

    source = files("models_ml.validate").joinpath("templates", "version_comparison.html")
    template = Environment(autoescape=True).from_string(source.read_text(encoding="utf-8"))
    return template.render(found=found)


def _finding(gate: dict[str, Any] | None) -> str | None:
    return None if gate is None else f"{'passed' if gate['passed'] else 'FAILED'}: {gate['detail']}"


def _range(each: Characteristic | None) -> str | None:
    if each is None:
        return None
    points = [b.points for b in each.bins]
    return f"{min(points)} to {max(points)}"


def _change(x: Characteristic | None, y: Characteristic | None) -> str:
    if x is None:
        return "new"
    if y is None:
        return "dropped"
    if [b.label for b in x.bins] != [b.label for b in y.bins]:
        return f"cuts: {len(x.bins)} bins, now {len(y.bins)}"
    moved = [abs(p.points - q.points) for p, q in zip(x.bins, y.bins, strict=True)]
    return f"points: by up to {max(moved)}" if any(moved) else ""
