"""The classic scorecard: optimal binning, selection, logistic regression on WOE."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from creditops.errors import DataRefusedError
from models_ml.card.evaluate import bin_index
from models_ml.card.points_table import Characteristic
from models_ml.fit.binning import bin_features, left_unbinned, require_finite, woe_matrix
from models_ml.fit.selection import select, variance_inflation
from models_ml.measure.stability import stability_index
from models_ml.spec import ScorecardSpec


@dataclass(frozen=True)
class AdditiveModel:
    """An additive scorecard before scaling: ``contribution`` per bin, and the intercept, in
    ln(odds good:bad).

    ``candidates``: every binned feature. ``dropped``: why a feature is not in. ``terms``: one row
    per characteristic for the pack (coefficient, p-value, VIF).
    """

    characteristics: list[Characteristic]
    intercept: float
    candidates: list[Characteristic]
    dropped: dict[str, str]
    terms: list[dict[str, object]]


def fit_classic(
    development: pd.DataFrame,
    bad: np.ndarray,
    spec: ScorecardSpec,
    later: pd.DataFrame | None = None,
) -> AdditiveModel:
    """Fit on development rows.

    Parameters
    ----------
    later: out-of-time rows; a feature whose CSI against them is over the limit is left out.

    Raises
    ------
    DataRefusedError: no feature passes the selection, or one has infinite values.
    """
    features = list(spec.features.values())
    require_finite(development, features)
    binned = bin_features(development, bad, features, spec.binning)
    unstable = [] if later is None else [
        each.name for each in binned if _shift(each, later) > spec.selection.max_csi
    ]  # fmt: skip
    woe = woe_matrix(binned, development)
    selected = select(binned, woe, bad, spec.selection, unstable)
    if not selected.positions:
        raise DataRefusedError(
            f"{spec.name}: no feature passes the selection",
            hint="the binning tables show IV per feature; loosen `selection` or add features",
        )
    p_values = selected.fit.p_values
    inflation = variance_inflation(woe[:, selected.positions])
    characteristics, terms = [], []
    for order, position in enumerate(selected.positions):
        coefficient = float(selected.fit.coefficients[order])
        each = binned[position]
        bins = tuple(replace(b, contribution=coefficient * b.woe) for b in each.bins)
        characteristics.append(replace(each, bins=bins, coefficient=coefficient))
        terms.append(
            {
                "characteristic": each.name,
                "coefficient": coefficient,
                "p_value": float(p_values[order]),
                "vif": float(inflation[order]),
                "iv": each.iv,
            }
        )
    dropped = left_unbinned(development, features, binned) | selected.dropped
    return AdditiveModel(characteristics, selected.fit.intercept, binned, dropped, terms)


def _shift(each: Characteristic, later: pd.DataFrame) -> float:
    counts = np.bincount(bin_index(each, later[each.name]), minlength=len(each.bins))
    return stability_index([b.count for b in each.bins], counts)
