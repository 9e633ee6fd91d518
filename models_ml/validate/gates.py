"""What a version must meet before it may become champion. A gate says what it measured and found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from models_ml.card.points_table import Characteristic, PointsTable
from models_ml.data.split import DEVELOPMENT, HOLD_OUT
from models_ml.fit.assessment import SplitFigures
from models_ml.measure.discrimination import auc
from models_ml.measure.fairness import GroupFigures, unfair
from models_ml.measure.stability import index_by_chance
from models_ml.spec import Feature, ScorecardSpec
from models_ml.validate.parity import Parity

_LEAK_ROWS = 50_000
_Z95, _Z99 = 1.6448536269514722, 2.3263478740408408  # one-sided


@dataclass(frozen=True)
class Gate:
    """One gate: what was measured, the limit, whether it passed, and a sentence on it."""

    name: str
    passed: bool
    value: float | None
    limit: float | None
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data with the keys gate, passed, value, limit, detail."""
        return {
            "gate": self.name,
            "passed": self.passed,
            "value": self.value,
            "limit": self.limit,
            "detail": self.message,
        }


def all_passed(gates: Sequence[Gate]) -> bool:
    """Whether there are gates and every one passed."""
    return bool(gates) and all(gate.passed for gate in gates)


def evaluate_gates(
    spec: ScorecardSpec,
    table: PointsTable,
    figures: dict[str, SplitFigures],
    leaks: dict[str, float],
    parity: Parity,
    *,
    contrary: Mapping[str, float] = MappingProxyType({}),
    groups: Sequence[GroupFigures] = (),
) -> list[Gate]:
    """Every gate of the scorecard.

    A drop of Gini or a PSI over its limit fails only where it is more than sampling error gives:
    a small book is refused on evidence, not on noise.

    Parameters
    ----------
    leaks: univariate AUC of the candidates that exceed the limit.
    contrary: AUC of the candidates whose data run against their declared direction, see
        :func:`find_contrary`.
    groups: figures by protected group.
    """
    limits = spec.gates
    development, held = figures[DEVELOPMENT], figures.get(HOLD_OUT)
    area = held.auc if held else float("nan")
    drop = development.gini - held.gini if held else float("nan")
    sure_drop = drop - _Z95 * math.hypot(_gini_error(development), _gini_error(held)) if held else drop
    later = [f for name, f in figures.items() if name != DEVELOPMENT]
    psi = max((f.psi for f in later), default=float("nan"))
    classes = len(table.baseline.shares)
    shifted = [
        f.name
        for f in later
        if f.psi > max(limits.max_psi, index_by_chance(classes, f.rows, table.development_rows))
    ]
    wrong = wrong_signs(table)
    protected = sorted(
        set(table.features) & set(spec.protected) - {o.attribute for o in spec.protected_overrides}
    )
    leak = max(leaks.values(), default=None)
    return [
        Gate(
            "auc_hold_out", bool(area >= limits.min_auc_hold_out), _number(area),
            limits.min_auc_hold_out, f"hold-out AUC {area:.4f}, at least {limits.min_auc_hold_out}",
        ),
        Gate(
            "gini_drop", bool(sure_drop <= limits.max_gini_drop), _number(drop), limits.max_gini_drop,
            f"Gini falls by {drop:.4f} from development to hold-out, with 95 % confidence by at least"
            f" {max(sure_drop, 0):.4f}; at most {limits.max_gini_drop}",
        ),
        Gate(
            "stability", bool(later) and not shifted, _number(psi), limits.max_psi,
            f"largest PSI of the score {psi:.4f}, at most {limits.max_psi}"
            + ("" if psi <= limits.max_psi or shifted else " or what so few rows give by chance"),
        ),
        Gate(
            "sign", not wrong and not contrary, float(len(wrong) + len(contrary)), 0.0,
            _sign_message(wrong, contrary),
        ),
        Gate(
            "no_protected_features", not protected, float(len(protected)), 0.0,
            "no protected attribute is a characteristic" if not protected
            else f"protected attributes in use: {', '.join(protected)}",
        ),
        _fairness_gate(spec, groups),
        Gate(
            "no_leakage", not leaks, leak, limits.max_univariate_auc,
            f"no candidate separates alone with AUC over {limits.max_univariate_auc}" if not leaks
            else "too good to be known beforehand: "
            + ", ".join(f"{name} (AUC {value:.3f})" for name, value in sorted(leaks.items())),
        ),
        Gate(
            "parity", parity.exact, float(parity.differing), 0.0,
            f"SQL and pyfunc differ on {parity.differing} of {parity.rows} rows"
            + (f", first {parity.example}" if parity.example else ""),
        ),
    ]  # fmt: skip


def wrong_signs(table: PointsTable) -> list[str]:
    """Characteristics with a coefficient that is not positive on WOE, or points against their direction."""
    return [each.name for each in table.characteristics if not _sign_holds(each)]


def find_leaks(
    frame: pd.DataFrame,
    bad: np.ndarray,
    features: Sequence[Feature],
    candidates: Sequence[Characteristic],
    limit: float,
) -> dict[str, float]:
    """Features whose own AUC for the outcome exceeds ``limit``: nothing honest is that good.

    Numeric features by their raw values, binned or not, with missing values left out and, again, as
    the lowest value, since being filled at all can be the leak; at most 50,000 rows are looked at.
    Categorical ones by their bins.
    """
    step = max(1, -(-len(frame) // _LEAK_ROWS))
    outcome, leaks = bad[::step], {}
    for feature in features:
        if feature.kind != "numeric":
            continue
        values = frame[feature.name].to_numpy(dtype=float)[::step]
        known = ~np.isnan(values)
        areas = [auc(values[known], outcome[known]).value]
        if not known.all():
            areas.append(auc(np.where(known, values, -np.inf), outcome).value)
        area = max((max(a, 1 - a) for a in areas if not np.isnan(a)), default=0.5)
        if area > limit:
            leaks[feature.name] = area
    for each in candidates:
        if each.kind == "categorical":
            counts = np.array([[b.count - b.bads, b.bads] for b in each.bins], dtype=float)
            area = _binned_auc(counts[np.argsort([b.woe for b in each.bins])])
            if area > limit:
                leaks[each.name] = area
    return leaks


def find_contrary(
    frame: pd.DataFrame, bad: np.ndarray, features: Sequence[Feature], margin: float
) -> dict[str, float]:
    """Numeric features that separate surely, but the other way than declared: AUC in the declared
    direction, where it is below 1/2 by more than ``margin`` with 99 % confidence.

    A source that flipped a sign shows like this; binning alone would silently drop the feature.
    """
    step, found = max(1, -(-len(frame) // _LEAK_ROWS)), {}
    outcome = bad[::step]
    for feature in features:
        if feature.kind != "numeric" or feature.direction == "none":
            continue
        values = frame[feature.name].to_numpy(dtype=float)[::step]
        known = ~np.isnan(values) & ~np.isin(values, list(feature.special_values))
        sign = 1.0 if feature.direction == "higher_is_riskier" else -1.0
        area = auc(sign * values[known], outcome[known])
        if area.value + _Z99 * area.variance**0.5 < 0.5 - margin:
            found[feature.name] = area.value
    return found


def _sign_message(wrong: Sequence[str], contrary: Mapping[str, float]) -> str:
    found = []
    if wrong:
        found.append(f"points run against the declared direction: {', '.join(wrong)}")
    if contrary:
        each = ", ".join(f"{name} (AUC {value:.3f})" for name, value in sorted(contrary.items()))
        found.append(f"data run against the declared direction: {each}")
    return "; ".join(found) or "points and data follow every declared direction"


def _fairness_gate(spec: ScorecardSpec, groups: Sequence[GroupFigures]) -> Gate:
    limit = spec.fairness.min_ratio
    judged = [each for each in groups if each.judged]
    if not judged:
        return Gate("fairness", True, None, limit, "no protected group is large enough to judge")
    worst = min(judged, key=lambda each: each.ratio)
    failed = unfair(groups, limit)
    names = ", ".join(f"{each.attribute} {each.group} ({each.ratio:.2f})" for each in failed)
    return Gate(
        "fairness", not failed, worst.ratio, limit,
        f"approval rates below {limit} of the best group's beyond sampling error: {names}" if failed
        else f"least approval rate ratio {worst.ratio:.3f} ({worst.attribute} {worst.group}), at least"
        f" {limit}" + ("" if worst.ratio >= limit else " or what so few rows give by chance"),
    )  # fmt: skip


def _binned_auc(counts: np.ndarray) -> float:
    """AUC of bins ordered from worst to best; columns goods, bads."""
    goods, bads = counts[:, 0], counts[:, 1]
    above = np.append(np.cumsum(goods[::-1])[::-1][1:], 0.0)
    total = goods.sum() * bads.sum()
    return float(np.sum(bads * (above + goods / 2)) / total) if total else 0.5


def _sign_holds(each: Characteristic) -> bool:
    if each.coefficient <= 0:
        return False
    points = [b.points for b in each.bins if b.kind == "range"]
    if each.direction == "higher_is_riskier":
        return all(later <= earlier for earlier, later in pairwise(points))
    if each.direction == "higher_is_safer":
        return all(later >= earlier for earlier, later in pairwise(points))
    return True


def _gini_error(split: SplitFigures) -> float:
    """Standard error of a split's Gini, from its DeLong interval."""
    return 2 * (split.auc_high - split.auc_low) / (2 * 1.959963984540054)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
