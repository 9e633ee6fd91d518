"""Plots of the validation pack: one figure of the score, one of the characteristics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models_ml.card.points_table import PointsTable
from models_ml.data.split import DEVELOPMENT, HOLD_OUT, OUT_OF_TIME
from models_ml.fit.assessment import SplitFigures
from models_ml.measure.discrimination import roc_curve
from models_ml.validate.evidence import Evidence

_COLOURS = {DEVELOPMENT: "#4c78a8", HOLD_OUT: "#f58518", OUT_OF_TIME: "#54a24b"}
_GOOD, _BAD = "#4c78a8", "#e45756"
_DPI = 90


def score_figure(
    path: Path,
    figures: dict[str, SplitFigures],
    score: np.ndarray,
    bad: np.ndarray,
    splits: np.ndarray,
) -> None:
    """ROC, KS, gains, score distributions and calibration by grade, as one PNG."""
    figure = _figure(13, 7.4)
    axes = figure.subplots(2, 3)
    shown = HOLD_OUT if HOLD_OUT in figures else DEVELOPMENT
    _roc(axes[0, 0], figures, score, bad, splits)
    here = splits == shown
    _ks(axes[0, 1], score[here], bad[here], figures[shown].ks, shown)
    _gains(axes[0, 2], figures, score, bad, splits)
    _by_outcome(axes[1, 0], score[here], bad[here], shown)
    _by_split(axes[1, 1], figures, score, splits)
    _calibration(axes[1, 2], figures[shown], shown)
    _save(figure, path)


def evidence_figure(
    path: Path, evidence: Evidence, score: np.ndarray, bad: np.ndarray, splits: np.ndarray
) -> None:
    """AUC and calibration over time, the cut-off trade-off, and ROC against benchmarks, as one PNG."""
    figure = _figure(13, 3.8)
    axes = figure.subplots(1, 3)
    _over_time(axes[0], evidence)
    share = [row["approval_rate"] for row in evidence.cut_offs]
    for key, colour, label in (
        ("bad_rate", _BAD, "bad rate of approved"),
        ("goods_refused", _GOOD, "share of goods refused"),
    ):
        axes[1].plot(share, [row[key] for row in evidence.cut_offs], color=colour, label=label)
    _label(axes[1], f"Cut-off ({evidence.judged})", "approval rate", "share")
    here = splits == evidence.judged
    curves = [("scorecard", -score[here].astype(float), _GOOD)]
    curves += [
        (each.name, each.risk, colour)
        for each, colour in zip(evidence.benchmarks, ("#f58518", "#54a24b"), strict=False)
    ]
    for name, risk, colour in curves:
        goods, bads = roc_curve(risk, bad[here])
        axes[2].plot(goods, bads, color=colour, label=name, linewidth=1.2)
    _label(axes[2], f"ROC against benchmarks ({evidence.judged})", "share of goods", "share of bads")
    _save(figure, path)


def _over_time(axis: Any, evidence: Evidence) -> None:
    dates = [each for each in evidence.segments if each.dimension == "observation_date"]
    places = np.arange(len(dates))
    areas = np.array([each.auc for each in dates])
    errors = np.array([[each.auc - each.auc_low, each.auc_high - each.auc] for each in dates]).T.clip(0)
    axis.errorbar(places, areas, yerr=np.nan_to_num(errors), fmt="o-", color="#4c78a8", ms=3, label="AUC")
    twin = axis.twinx()
    twin.plot(places, [each.bad_rate for each in dates], color=_BAD, linewidth=0.9)
    twin.plot(places, [each.mean_pd for each in dates], color="#777777", linewidth=0.9, linestyle="--")
    twin.set_ylim(0, None)
    twin.tick_params(labelsize=6)
    axis.set_xticks(places, [each.segment for each in dates], rotation=60)
    _label(axis, "AUC; bad rate (red) and mean PD (dashed) by date", "observation date", "AUC")


def characteristics_figure(path: Path, table: PointsTable) -> None:
    """WOE (bars), share of development (line) and points of every characteristic, as one PNG."""
    columns = 3
    rows = -(-len(table.characteristics) // columns)
    figure = _figure(13, 3.2 * rows)
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axis, each in zip(axes, table.characteristics, strict=False):
        bins = [b for b in each.bins if b.count]
        total = sum(b.count for b in bins)
        places = np.arange(len(bins))
        axis.bar(places, [b.woe for b in bins], color=[_GOOD if b.woe >= 0 else _BAD for b in bins])
        axis.axhline(0, color="#333333", linewidth=0.6)
        twin = axis.twinx()
        twin.plot(places, [b.count / total for b in bins], color="#777777", marker=".", linewidth=0.8)
        twin.set_ylim(0, None)
        twin.tick_params(labelsize=6)
        names = [f"{_short(b.label)}: {b.points}" for b in bins]
        axis.set_xticks(places, names, fontsize=7, rotation=40, ha="right", rotation_mode="anchor")
        axis.set_title(f"{each.name} (IV {each.iv:.3f})", fontsize=9)
        axis.tick_params(axis="y", labelsize=6)
    for axis in axes[len(table.characteristics) :]:
        axis.set_visible(False)
    _save(figure, path)


def _short(label: str, most: int = 22) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _roc(
    axis: Any, figures: dict[str, SplitFigures], score: np.ndarray, bad: np.ndarray, splits: np.ndarray
) -> None:
    for name, split in figures.items():
        goods, bads = roc_curve(-score[splits == name], bad[splits == name])
        label = f"{name} {split.auc:.3f} [{split.auc_low:.3f}, {split.auc_high:.3f}]"
        axis.plot(goods, bads, color=_COLOURS[name], label=label, linewidth=1.2)
    axis.plot([0, 1], [0, 1], color="#aaaaaa", linewidth=0.6)
    _label(axis, "ROC, AUC with DeLong 95 % interval", "share of goods", "share of bads")


def _ks(axis: Any, score: np.ndarray, bad: np.ndarray, value: float, name: str) -> None:
    values = np.sort(np.unique(score))
    for outcome, colour, label in ((0, _GOOD, "good"), (1, _BAD, "bad")):
        ordered = np.sort(score[bad == outcome])
        share = np.searchsorted(ordered, values, side="right") / max(len(ordered), 1)
        axis.plot(values, share, color=colour, label=label, linewidth=1.2)
    _label(axis, f"KS {value:.3f} ({name})", "score", "cumulative share")


def _gains(
    axis: Any, figures: dict[str, SplitFigures], score: np.ndarray, bad: np.ndarray, splits: np.ndarray
) -> None:
    for name in figures:
        here = splits == name
        ordered = bad[here][np.argsort(score[here], kind="stable")]
        rows = np.arange(1, len(ordered) + 1) / len(ordered)
        captured = np.cumsum(ordered) / max(ordered.sum(), 1)
        step = max(1, len(rows) // 200)
        axis.plot(rows[::step], captured[::step], color=_COLOURS[name], label=name, linewidth=1.2)
    axis.plot([0, 1], [0, 1], color="#aaaaaa", linewidth=0.6)
    _label(axis, "Cumulative gains, worst first", "share of customers", "share of bads found")


def _by_outcome(axis: Any, score: np.ndarray, bad: np.ndarray, name: str) -> None:
    edges = np.histogram_bin_edges(score, bins=30)
    for outcome, colour, label in ((0, _GOOD, "good"), (1, _BAD, "bad")):
        axis.hist(score[bad == outcome], bins=edges, density=True, alpha=0.55, color=colour, label=label)
    _label(axis, f"Score by outcome ({name})", "score", "density")


def _by_split(axis: Any, figures: dict[str, SplitFigures], score: np.ndarray, splits: np.ndarray) -> None:
    edges = np.histogram_bin_edges(score, bins=30)
    for name, split in figures.items():
        axis.hist(
            score[splits == name], bins=edges, density=True, histtype="step", color=_COLOURS[name],
            label=f"{name}, PSI {split.psi:.3f}",
        )  # fmt: skip
    _label(axis, "Score by split", "score", "density")


def _calibration(axis: Any, split: SplitFigures, name: str) -> None:
    grades = split.grades
    places = np.arange(len(grades))
    observed = np.array([g.observed for g in grades])
    errors = np.array([[g.observed - g.low, g.high - g.observed] for g in grades]).T.clip(0)
    axis.errorbar(places, observed, yerr=errors, fmt="o", color=_BAD, label="observed, Jeffreys 95 %", ms=3)
    axis.plot(places, [g.expected for g in grades], color=_GOOD, marker="_", label="mean PD")
    axis.set_xticks(places, [g.grade for g in grades])
    _label(axis, f"Calibration by grade ({name})", "grade", "default rate")


def _label(axis: Any, title: str, x: str, y: str) -> None:
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(x, fontsize=7)
    axis.set_ylabel(y, fontsize=7)
    axis.tick_params(labelsize=6)
    axis.legend(fontsize=6, frameon=False)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
