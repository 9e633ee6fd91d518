"""Reject inference by parcelling: what declined applications might have become (domain.md#reject-inference).

A scorecard is fitted on accepted rows first. Declined rows are scored with it and parted into bands of its
score; in each band they are taken to have ``factor`` times the bad rate of the accepted rows there, and that
many of them, drawn by the seed, count as bad. The scorecard is then fitted again on both. Its PD stays
calibrated on accepted rows alone, whose outcome is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.card.evaluate import score_frame
from models_ml.card.points_table import PointsTable
from models_ml.spec import RejectInference


@dataclass(frozen=True)
class Inference:
    """What parcelling did, for the pack: figures of the scorecard with it and without it.

    ``bad_rate``: that the declined rows were given. ``auc``, ``ks``: on accepted hold-out rows.
    ``pd_declined``: mean PD that each scorecard gives the declined rows.
    """

    declined: int
    bad_rate: float
    factor: float
    auc_with: float
    auc_without: float
    ks_with: float
    ks_without: float
    pd_declined_with: float
    pd_declined_without: float
    characteristics_with: tuple[str, ...]
    characteristics_without: tuple[str, ...]


def parcel(
    table: PointsTable, accepted: pd.DataFrame, bad: np.ndarray, declined: pd.DataFrame,
    settings: RejectInference, *, seed: int,
) -> np.ndarray:  # fmt: skip
    """An outcome (0 or 1) per declined row.

    Parameters
    ----------
    table: fitted on accepted rows; ``accepted``, ``bad`` are those rows with their outcome.
    """
    known = score_frame(table, accepted)["score"].to_numpy()
    unknown = score_frame(table, declined)["score"].to_numpy()
    edges = np.unique(np.quantile(known, np.linspace(0, 1, settings.bands + 1)[1:-1]))
    of_known = np.searchsorted(edges, known, side="right")
    of_unknown = np.searchsorted(edges, unknown, side="right")
    rng, outcome = np.random.default_rng(seed), np.zeros(len(declined), dtype=np.int8)
    overall = float(np.mean(bad))
    for band in np.unique(of_unknown):
        inside, members = of_known == band, np.flatnonzero(of_unknown == band)
        rate = float(bad[inside].mean()) if inside.any() else overall
        bads = round(min(settings.factor * rate, 1.0) * len(members))
        outcome[rng.permutation(members)[:bads]] = 1
    return outcome
