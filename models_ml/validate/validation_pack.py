"""The validation pack: every figure and table of a version as files, and one HTML page that shows them."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from models_ml.card.points_table import PointsTable
from models_ml.data.parcelling import Inference
from models_ml.fit.assessment import SplitFigures
from models_ml.fit.binning import evidence_rows
from models_ml.fit.classic import AdditiveModel
from models_ml.measure.stability import status
from models_ml.spec import ScorecardSpec
from models_ml.validate.evidence import Evidence
from models_ml.validate.gates import Gate
from models_ml.validate.pack_names import CONTENTS, NAMES, RULES
from models_ml.validate.pack_tables import as_rows, hosmer_lemeshow
from models_ml.validate.plots import characteristics_figure, evidence_figure, score_figure


@dataclass(frozen=True)
class PackContents:
    """What a pack shows. ``champion``: version, auc, difference, p_value of the comparison, or None."""

    book: str
    spec: ScorecardSpec
    table: PointsTable
    model: AdditiveModel
    figures: dict[str, SplitFigures]
    gates: list[Gate]
    counts: dict[str, int]
    params: dict[str, Any]
    champion: dict[str, Any] | None
    observation_dates: int
    score: np.ndarray
    bad: np.ndarray
    splits: np.ndarray
    evidence: Evidence
    stability: dict[str, dict[str, float]]
    inference: Inference | None = None


def write_pack(folder: Path, contents: PackContents) -> None:
    """Write the pack below ``folder``: ``validation_pack.html``, tables, plots, the points table.

    The page holds both languages and a switch; ``validation_pack.zh.html`` is the same, opened in Chinese.

    ``binning_tables.csv`` holds every binned candidate, ``points_table.csv`` the characteristics.
    """
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    score_figure(plots / "score.png", contents.figures, contents.score, contents.bad, contents.splits)
    characteristics_figure(plots / "characteristics.png", contents.table)
    evidence_figure(plots / "evidence.png", contents.evidence, contents.score, contents.bad, contents.splits)
    pd.DataFrame(evidence_rows(contents.model.candidates)).drop(
        columns=["points", "mean_points", "contribution", "coefficient"]
    ).to_csv(folder / "binning_tables.csv", index=False)
    pd.DataFrame(evidence_rows(contents.table.characteristics)).to_csv(
        folder / "points_table.csv", index=False
    )
    _write_json(folder / "figures.json", {name: asdict(f) for name, f in contents.figures.items()})
    _write_json(folder / "gates.json", [gate.as_dict() for gate in contents.gates])
    _write_json(folder / "dropped.json", contents.model.dropped)
    _write_json(folder / "evidence.json", _plain(contents.evidence))
    if contents.inference is not None:
        _write_json(folder / "reject_inference.json", asdict(contents.inference))
    (folder / "points_table.json").write_text(contents.table.to_json(), encoding="utf-8")
    (folder / "scorecard.yml").write_text(
        yaml.safe_dump(contents.spec.model_dump(mode="json"), allow_unicode=True, sort_keys=False),
        encoding="utf-8",
    )
    (folder / "validation_pack.html").write_text(_page(contents, plots, "en"), encoding="utf-8")
    (folder / "validation_pack.zh.html").write_text(_page(contents, plots, "zh"), encoding="utf-8")


def _page(contents: PackContents, plots: Path, lang: str) -> str:
    from jinja2 import Environment

    source = files("models_ml.validate").joinpath("templates", "validation_pack.html")
    template = Environment(autoescape=True).from_string(source.read_text(encoding="utf-8"))
    seeds = np.array([area for area in contents.evidence.seeds.values() if np.isfinite(area)])
    return template.render(
        lang=lang,
        names=NAMES,
        rules=RULES,
        contents=CONTENTS,
        inference=contents.inference,
        seeds_mean=float(seeds.mean()) if len(seeds) else None,
        seeds_sd=float(seeds.std(ddof=1)) if len(seeds) > 1 else None,
        seeds_range=float(np.ptp(seeds)) if len(seeds) else None,
        book=contents.book,
        spec=contents.spec,
        table=contents.table,
        terms=contents.model.terms,
        dropped=contents.model.dropped,
        figures=contents.figures,
        gates=contents.gates,
        counts=contents.counts,
        params=contents.params,
        champion=contents.champion,
        figures_dates=contents.observation_dates,
        evidence=contents.evidence,
        stability=contents.stability,
        fit_of_grades={name: hosmer_lemeshow(f.grades) for name, f in contents.figures.items()},
        light=status,
        score_png=_encoded(plots / "score.png"),
        characteristics_png=_encoded(plots / "characteristics.png"),
        evidence_png=_encoded(plots / "evidence.png"),
    )


def _plain(evidence: Evidence) -> dict[str, Any]:
    shown = dict(vars(evidence))
    shown["benchmarks"] = [
        {key: value for key, value in vars(each).items() if key not in ("risk", "model")}
        for each in evidence.benchmarks
    ]
    return shown | {"groups": as_rows(evidence.groups), "segments": as_rows(evidence.segments)}


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, default=float), encoding="utf-8")
