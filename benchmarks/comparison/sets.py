"""The real sets as frames: raw columns, and the outcome with 1 for bad."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.comparison.files import read_set

# Outcome-free attributes of a person that the shipped scorecards do not use.
_TAIWAN_PROTECTED = ("SEX", "EDUCATION", "MARRIAGE", "AGE")


@dataclass(frozen=True)
class DataSet:
    """``raw``: columns as delivered; ``derived``: also what the platform derives, without protected
    attributes (the same as ``raw`` where it derives nothing).
    """

    name: str
    raw: pd.DataFrame
    derived: pd.DataFrame
    bad: np.ndarray


def load(name: str, folder: Path) -> DataSet:
    """One of :data:`NAMES`, from the folder that holds the real data."""
    return NAMES[name](folder)


def from_file(path: Path, target: str | None = None, bad: str | None = None) -> DataSet:
    """Any set from a file, see :func:`benchmarks.comparison.files.read_set`."""
    frame, outcome = read_set(path, target, bad)
    return DataSet(path.name.split(".")[0], frame, frame, outcome)


def _taiwan(folder: Path) -> DataSet:
    frame = pd.read_csv(folder / "uci_taiwan_default" / "UCI_Credit_Card.csv.gz").drop(columns="ID")
    bad = frame.pop("default.payment.next.month").to_numpy(dtype=int)
    frame = frame.astype("float64")
    derived = pd.concat([frame.drop(columns=list(_TAIWAN_PROTECTED)), _behaviour(frame)], axis=1)
    return DataSet("taiwan", frame, derived, bad)


def _behaviour(raw: pd.DataFrame) -> pd.DataFrame:
    """The measures of ``features.feat_retail_behaviour`` that go beyond the raw columns.

    Month 0 is September; what was paid in month k is set against the balance of month k + 1.
    """
    state = raw[["PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6"]].to_numpy()
    balance = raw[[f"BILL_AMT{k}" for k in range(1, 7)]].to_numpy()
    paid = raw[[f"PAY_AMT{k}" for k in range(1, 7)]].to_numpy()
    used, dpd = balance / raw[["LIMIT_BAL"]].to_numpy(), 30 * np.maximum(state, 0)
    late = dpd > 0
    trend = np.array([2.5, 1.5, 0.5, -0.5, -1.5, -2.5]) / 17.5
    return pd.DataFrame(
        {
            "utilisation_now": used[:, 0],
            "utilisation_avg_3m": used[:, :3].mean(axis=1),
            "utilisation_avg_6m": used.mean(axis=1),
            "utilisation_max_6m": used.max(axis=1),
            "utilisation_change_3m": used[:, 0] - used[:, 3],
            "dpd_max_3m": dpd[:, :3].max(axis=1),
            "dpd_max_6m": dpd.max(axis=1),
            "months_overdue_6m": late.sum(axis=1),
            "months_since_overdue": np.where(late.any(axis=1), late.argmax(axis=1), np.nan),
            "payment_ratio_1m": _ratio(paid[:, :1], balance[:, 1:2]),
            "payment_ratio_3m": _ratio(paid[:, :3], balance[:, 1:4]),
            "payment_ratio_6m": _ratio(paid[:, :5], balance[:, 1:6]),
            "paid_to_balance_3m": _ratio(paid[:, :3], balance[:, :3]),
            "paid_avg_3m": paid[:, :3].mean(axis=1),
            "paid_avg_6m": paid.mean(axis=1),
            "paid_max_6m": paid.max(axis=1),
            "paid_min_6m": paid.min(axis=1),
            "balance_change_3m": balance[:, 0] - balance[:, 3],
            "balance_change_5m": balance[:, 0] - balance[:, 5],
            "balance_to_limit_trend_6m": used @ trend,
        }
    ).astype("float64")


def _ratio(paid: np.ndarray, due: np.ndarray) -> np.ndarray:
    total = due.sum(axis=1)
    return np.where(total > 0, paid.sum(axis=1) / np.where(total > 0, total, 1), np.nan)


def _german(folder: Path) -> DataSet:
    frame = pd.read_csv(folder / "german_credit" / "german.data", sep=" ", header=None)
    frame.columns = pd.Index([*(f"attribute_{n + 1}" for n in range(20)), "class"])
    bad = (frame.pop("class") == 2).to_numpy(dtype=int)
    return DataSet("german", frame, frame, bad)


def _polish(folder: Path) -> DataSet:
    with gzip.open(folder / "polish_bankruptcy" / "1year.arff.gz", "rt") as file:
        rows = file.read().partition("@data")[2].strip()
    frame = pd.read_csv(io.StringIO(rows), header=None, na_values="?")
    frame.columns = pd.Index([*(f"attr{n + 1}" for n in range(64)), "class"])
    bad = frame.pop("class").to_numpy(dtype=int)
    frame = frame.astype("float64")
    return DataSet("polish", frame, frame, bad)


NAMES = {"taiwan": _taiwan, "german": _german, "polish": _polish}
