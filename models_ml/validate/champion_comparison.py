"""Compares a new version with the champion on the same rows, rows that neither was fitted on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models_ml.card.evaluate import score_frame
from models_ml.card.points_table import PointsTable
from models_ml.data.dataset import TrainingSet
from models_ml.data.split import DEVELOPMENT, HOLD_OUT, OUT_OF_TIME
from models_ml.measure.discrimination import auc, auc_difference

_LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """A new version against champion ``version`` on the same ``rows``.

    ``difference``: AUC of the new one less the champion's, with its two-sided DeLong ``p_value``.
    ``brier`` and ``champion_brier``: mean squared errors of the PDs, ``brier_p_value`` of a paired
    z-test of their difference (Diebold and Mariano 1995, independent rows). ``basis`` says which
    rows: customers held out from both, and observation dates after the champion's newest.
    """

    version: str
    rows: int
    auc: float
    champion_auc: float
    difference: float
    p_value: float
    brier: float = float("nan")
    champion_brier: float = float("nan")
    brier_p_value: float = float("nan")
    basis: str = "hold-out"

    @classmethod
    def from_json(cls, text: str | None) -> Comparison | None:
        """Read :meth:`to_json`; ``None`` from nothing. Keys of other versions are passed over."""
        data = json.loads(text or "null")
        if data is None:
            return None
        known = {each.name for each in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})

    def verdict(self, tolerance: float) -> tuple[bool, str]:
        """Whether the new version is better, and a sentence on it.

        Better is what chance does not explain at 5 %: it separates better, or it separates no more
        than ``tolerance`` AUC worse and its PDs are nearer to what happened.
        """
        against = (
            f"champion version {self.version}: AUC {self.auc:.4f} against {self.champion_auc:.4f}"
            f" ({self.difference:+.4f}, DeLong p {self.p_value:.3f})"
        )
        if np.isfinite(self.brier):
            against += (
                f", Brier {self.brier:.5f} against {self.champion_brier:.5f} (p {self.brier_p_value:.3f})"
            )
        against += f" on the same {self.rows} rows ({self.basis})"
        if self.difference < -tolerance:
            return False, f"worse than {against}"
        if self.difference > 0 and self.p_value < _LEVEL:
            return True, f"separates better than {against}"
        if self.brier < self.champion_brier and self.brier_p_value < _LEVEL:
            return True, f"calibrated better than {against}"
        return False, f"not better than {against}"

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def to_json(self) -> str:
        """One line, for a tag."""
        return json.dumps(self.as_dict())

    def metrics(self) -> dict[str, float]:
        """Metrics under the names that MLflow shows."""
        return {
            "champion_hold_out_auc": self.champion_auc,
            "champion_hold_out_auc_difference": self.difference,
        }


def compare_with_champion(
    name: str, table: PointsTable, data: TrainingSet, splits: np.ndarray
) -> Comparison | None:
    """Compare on rows fair to both; ``None`` without a champion or where it cannot score these rows.

    Hold-out customers are the same for one seed, so a champion has not seen them. Out-of-time rows
    count where they are newer than anything the champion was trained with.
    """
    from models_ml.store.version_store import CHAMPION
    from models_ml.store.versions import alias_version, show

    version = alias_version(name, CHAMPION)
    if version is None:
        return None
    dates = show(name, version)["params"].get("observation_dates", "")
    known = [date.fromisoformat(day) for day in dates.split(", ") if day]
    here, basis = _fair_rows(data, splits, known)
    frame, bad = data.frame[here], data.bad[here]
    other = champion_prediction(name, version, frame)
    if other is None:
        return None
    scored = score_frame(table, frame)
    return compare(scored["score"], scored["pd"], other, bad, version=version, basis=basis)


def compare(
    score: pd.Series,
    pd_: pd.Series,
    other: pd.DataFrame,
    bad: np.ndarray,
    *,
    version: str,
    basis: str = "hold-out",
) -> Comparison:
    """A score with its PDs against those of another model (columns risk, pd) on the same rows."""
    risk = -score.to_numpy(dtype=float)
    difference = auc_difference(risk, other["risk"].to_numpy(), bad)
    area = auc(risk, bad).value
    ours, theirs = (np.asarray(each) - bad for each in (pd_, other["pd"]))
    return Comparison(
        version, len(bad), area, area - difference.value, difference.value, difference.p_value,
        float(np.mean(ours**2)), float(np.mean(theirs**2)), _paired_p_value(ours**2 - theirs**2), basis,
    )  # fmt: skip


def champion_prediction(name: str, version: str, frame: Any) -> pd.DataFrame | None:
    """A version's ``risk`` (higher is riskier) and ``pd`` of each row; ``None`` where a column is absent."""
    from models_ml.store import artefact, isolated, version_store

    held = version_store.find(name, version)
    table = artefact.points_table(held)
    if table is not None:
        if not set(table.features) <= set(frame.columns):
            return None
        scored = score_frame(table, frame)
        return pd.DataFrame({"risk": -scored["score"].astype(float), "pd": scored["pd"]})
    with artefact.approved_files(held, held.content_sha256) as folder:
        columns = isolated.inputs(folder)
        if not set(columns) <= set(frame.columns):
            return None
        with isolated.running(folder) as model:
            predicted = model.predict(frame[columns])
    return pd.DataFrame({"risk": predicted, "pd": predicted}, index=frame.index)


def _fair_rows(data: TrainingSet, splits: np.ndarray, known: Sequence[date]) -> tuple[np.ndarray, str]:
    """Rows and what they are; both outcomes must be among them."""
    held = splits == HOLD_OUT
    newest = max(known, default=date.max)
    later = (splits == OUT_OF_TIME) & (data.frame["observation_date"] > newest).to_numpy()
    if held.any():
        chosen, basis = held | later, "hold-out" + (" and newer dates" if later.any() else "")
    elif later.any():
        chosen, basis = later, "newer dates"
    else:
        chosen, basis = splits == DEVELOPMENT, "development, for want of others"
    return chosen, basis


def _paired_p_value(differences: np.ndarray) -> float:
    from scipy.special import ndtr

    if len(differences) < 2:
        return 1.0
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / len(differences) ** 0.5
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * ndtr(-abs(mean) / error))
