"""How a scorecard treats groups of protected attributes (domain.md#fairness): approval rate ratio and AUC.

The attributes are never features; they are read beside the training rows to look at the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import psycopg

from models_ml.card.sql import identifier
from models_ml.measure.discrimination import auc
from models_ml.spec import ScorecardSpec

AGE_BANDS = (25, 35, 45, 55, 65)


@dataclass(frozen=True)
class GroupFigures:
    """One group. ``ratio``: its approval rate over the best judged group's, with 95 % interval
    (Katz et al. 1978, on the log scale); ``judged``: large enough, and not ``unknown``.
    """

    attribute: str
    group: str
    rows: int
    bads: int
    approval_rate: float
    ratio: float
    ratio_low: float
    ratio_high: float
    auc: float
    auc_low: float
    auc_high: float
    mean_pd: float
    judged: bool

    @property
    def bad_rate(self) -> float:
        """Observed share of bads."""
        return self.bads / self.rows


def load_groups(
    connection: psycopg.Connection, book: str, spec: ScorecardSpec, frame: pd.DataFrame
) -> pd.DataFrame:
    """Protected attributes of each row of ``frame`` (customer_id, observation_date), on its index.

    Columns among sex, age_band and region, as far as the scorecard protects them and
    ``marts.dim_customer`` is built, and protected characteristics that the book delivers; age is that at
    the observation date.
    """
    groups = _of_customers(connection, book, spec, frame)
    for column, values in _of_characteristics(connection, spec, frame).items():
        groups[column] = values
    return groups


def _of_characteristics(
    connection: psycopg.Connection, spec: ScorecardSpec, frame: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Protected columns of the feature tables themselves, which hold what a book delivers ready made."""
    found: dict[str, np.ndarray] = {}
    for source in spec.sources:
        rows = connection.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attname = any(%s)"
            " and not attisdropped order by attname",
            (source.table, sorted(set(spec.protected))),
        ).fetchall()
        names = [str(row[0]) for row in rows]
        if not names:
            continue
        values = connection.execute(
            f"select customer_id, observation_date, {', '.join(f'{identifier(n)}::text' for n in names)}"  # type: ignore[arg-type]
            f" from {source.table}"
        ).fetchall()
        told = pd.DataFrame(values, columns=["customer_id", "observation_date", *names])
        joined = frame[["customer_id", "observation_date"]].merge(
            told, how="left", on=["customer_id", "observation_date"]
        )
        for name in names:
            if name == "age":
                found["age_band"] = _band(pd.to_numeric(joined[name]).to_numpy(dtype=float))
            else:
                found[name] = joined[name].fillna("unknown").astype(str).to_numpy()
    return found


def _of_customers(
    connection: psycopg.Connection, book: str, spec: ScorecardSpec, frame: pd.DataFrame
) -> pd.DataFrame:
    have = connection.execute("select to_regclass('marts.dim_customer') is not null").fetchone()
    groups = pd.DataFrame(index=frame.index)
    if not have or not have[0]:
        return groups
    rows = connection.execute(
        "select customer_id, sex, birth_year, region from marts.dim_customer where book = %s", (book,)
    ).fetchall()
    customers = pd.DataFrame(rows, columns=["customer_id", "sex", "birth_year", "region"])
    joined = frame[["customer_id", "observation_date"]].merge(customers, how="left", on="customer_id")
    for name in ("sex", "region"):
        if name in spec.protected and joined[name].notna().any():
            groups[name] = joined[name].fillna("unknown").astype(str).to_numpy()
    if {"birth_year", "age", "age_band"} & set(spec.protected) and joined["birth_year"].notna().any():
        years = joined["observation_date"].map(_year).to_numpy(dtype=float)
        groups["age_band"] = _band(years - joined["birth_year"].to_numpy(dtype=float))
    return groups


def by_group(
    spec: ScorecardSpec, groups: pd.DataFrame, scored: pd.DataFrame, bad: np.ndarray, cut_off: float
) -> list[GroupFigures]:
    """Figures of each group of each attribute; approved is a score of at least ``cut_off``."""
    found: list[GroupFigures] = []
    approved = scored["score"].to_numpy() >= cut_off
    for attribute in groups.columns:
        values = groups[attribute].to_numpy()
        names = sorted(set(values))
        counts = {name: (int((values == name).sum()), int(approved[values == name].sum())) for name in names}
        judged = [n for n in names if counts[n][0] >= spec.fairness.min_rows and n != "unknown"]
        best = max(judged, key=lambda n: counts[n][1] / counts[n][0], default=None)
        for name in names:
            here = values == name
            area = auc(-scored["score"].to_numpy(dtype=float)[here], bad[here])
            ratio, low, high = _ratio(counts[name], counts[best]) if best else (np.nan,) * 3
            found.append(
                GroupFigures(
                    attribute, name, counts[name][0], int(bad[here].sum()),
                    counts[name][1] / counts[name][0], ratio, low, high, area.value, area.low, area.high,
                    float(scored["pd"].to_numpy()[here].mean()), name in judged,
                )
            )  # fmt: skip
    return found


def unfair(figures: Sequence[GroupFigures], min_ratio: float) -> list[GroupFigures]:
    """Judged groups whose approval rate ratio is below the limit by more than sampling error."""
    return [each for each in figures if each.judged and each.ratio_high < min_ratio]


def cut_off_score(scores: np.ndarray, share: float) -> float:
    """The score at which ``share`` of the rows is approved."""
    return float(np.quantile(scores, 1 - share, method="lower"))


def _ratio(group: tuple[int, int], best: tuple[int, int]) -> tuple[float, float, float]:
    (rows, hits), (of_rows, of_hits) = group, best
    if not hits or not of_hits:
        return (0.0, 0.0, 0.0 if of_hits else 1.0) if not hits else (1.0, 0.0, 1.0)
    ratio = (hits / rows) / (of_hits / of_rows)
    error = (1 / hits - 1 / rows + 1 / of_hits - 1 / of_rows) ** 0.5
    return ratio, float(ratio * np.exp(-1.96 * error)), float(ratio * np.exp(1.96 * error))


def _year(day: date) -> int:
    return day.year


def _band(ages: np.ndarray) -> np.ndarray:
    labels = [f"under {AGE_BANDS[0]}"]
    labels += [f"{low} to {high - 1}" for low, high in pairwise(AGE_BANDS)]
    labels += [f"{AGE_BANDS[-1]} and over"]
    known = ~np.isnan(ages)
    places = np.searchsorted(np.array(AGE_BANDS), np.where(known, ages, 0), side="right")
    return np.where(known, np.array(labels, dtype=object)[places], "unknown")
