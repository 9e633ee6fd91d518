"""Declarative scorecards: what to train, read from ``scorecards/*.yml`` and checked here.

A scorecard names its features by source table; texts and business directions come from the
catalogue of that table (``catalogue/<table>.yml``) unless the scorecard says otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from creditops.errors import UsageError
from creditops.settings import get_settings
from creditops.sources.document import names_in, parse_mapping, read_mapping
from creditops.warehouse.characteristics import PREFIX as CHARACTERISTICS
from creditops.warehouse.characteristics import contract_of
from models_ml.card.points_table import Text

Direction = Literal["higher_is_riskier", "higher_is_safer", "none"]
_DIRECTIONS = {"ascending": "higher_is_riskier", "descending": "higher_is_safer", "none": "none"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(_Strict):
    """A candidate characteristic.

    ``direction`` is the business direction that binning and points must follow; ``special_values``
    maps numbers with a meaning of their own to that meaning.
    """

    name: str
    kind: Literal["numeric", "categorical"] = "numeric"
    direction: Direction = "none"
    special_values: dict[float, str] = Field(default_factory=dict)
    label: Text

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no column name of lower case letters, digits and _")
        return name


class Source(_Strict):
    """A feature table with the grain (book, customer_id, observation_date).

    ``known_on`` names a date column that says when the row's facts were known: a row with a later
    one than its observation date is refused. ``optional`` tables may lack rows or be absent.
    """

    table: str
    optional: bool = False
    known_on: str | None = None
    features: tuple[Feature, ...]


class Population(_Strict):
    """Who is trained on (``exclusions``) and who is not even scored (``never_scored``).

    ``may_be_empty``: a day on which nobody is there to be scored is no fault (no applications came).
    ``min_bads``: with fewer labelled bads a scorecard is not trained.
    """

    exclusions: tuple[str, ...] = ("in_default", "closed", "written_off", "under_3_mob", "staff")
    never_scored: tuple[str, ...] = ("closed", "written_off")
    may_be_empty: bool = False
    min_bads: int = Field(20, ge=2)


class RejectInference(_Strict):
    """Parcelling of declined applications, see :mod:`models_ml.data.parcelling`.

    ``exclusion``: how the label table marks them. ``factor``: how many times the bad rate of accepted
    rows of the same score the declined ones are taken to have. ``bands``: score bands looked at.
    """

    method: Literal["none", "parcelling"] = "none"
    exclusion: str = "declined"
    factor: float = Field(1.5, gt=0)
    bands: int = Field(10, ge=2)


class Observation(_Strict):
    """Observation points: every n-th month end back from the newest with a full window."""

    every_months: int = Field(3, ge=1)
    window_months: int = Field(12, ge=1)
    label_source: Literal["panel", "outcomes"] = "panel"
    newest_dates: int | None = Field(None, ge=1, description="Use at most this many dates.")


class Split(_Strict):
    """Development, hold-out by customer, out of time by newest observation dates."""

    hold_out: float = Field(0.3, gt=0, lt=1)
    stratified: bool = False
    out_of_time_dates: int = Field(0, ge=0)


class Binning(_Strict):
    """Limits of optimal binning; shares are of development rows."""

    min_bin: float = Field(0.05, gt=0, lt=0.5)
    max_bins: int = Field(8, ge=2, le=20)
    max_prebins: int = Field(20, ge=2)


class Selection(_Strict):
    """Which binned features become characteristics."""

    min_iv: float = 0.02
    max_correlation: float = 0.85
    max_vif: float = 10.0
    max_p_value: float = 0.01
    max_characteristics: int = Field(15, ge=1, le=64)
    max_csi: float = 0.25


class Boosting(_Strict):
    """Main effects of an explainable boosting machine, see :mod:`models_ml.fit.boosted`.

    ``min_bin`` replaces ``binning.min_bin``: curves are smoothed by boosting before they are cut.
    ``outer_bags`` are averaged; fewer than 20,000 rows are bagged up to four times as often.
    """

    outer_bags: int = Field(8, ge=1)
    learning_rate: float = Field(0.02, gt=0)
    max_rounds: int = Field(3000, ge=1)
    curve_bins: int = Field(64, ge=4)
    min_bin: float = Field(0.01, gt=0, lt=0.5)


class ScalingSettings(_Strict):
    """PDO scaling, see :mod:`models_ml.card.scaling`."""

    base_score: float = 600
    base_odds: float = Field(50, gt=0)
    pdo: float = Field(20, gt=0)


class CalibrationSettings(_Strict):
    """See :func:`models_ml.fit.calibration.fit_calibration`.

    ``long_run_rate``: the default rate that PDs are calibrated to; ``book`` is the mean over all observation
    dates of the book whose window has passed, also those not trained on; by default that of development.
    """

    floor: float = 0.0003
    long_run_rate: Annotated[float, Field(gt=0, lt=1)] | Literal["book"] | None = None


class GateLimits(_Strict):
    """What a version must meet before it may be champion."""

    min_auc_hold_out: float = 0.65
    max_gini_drop: float = 0.08
    max_psi: float = 0.25
    max_univariate_auc: float = 0.97
    max_contrary_auc: float = Field(0.05, ge=0, description="AUC below 1/2 in the declared direction.")
    champion_tolerance: float = Field(0.005, ge=0, description="AUC the champion may be ahead by.")


class Fairness(_Strict):
    """Groups of protected attributes that the pack and a gate look at.

    ``cut_off_share``: the score at which this share of development is approved. ``min_ratio``: the
    least approval rate of a group over the best group's (the four-fifths rule of the Uniform
    Guidelines on Employee Selection Procedures, 29 CFR 1607.4). Groups under ``min_rows`` are shown
    and not judged.
    """

    cut_off_share: float = Field(0.8, gt=0, lt=1)
    min_ratio: float = Field(0.8, ge=0, le=1)
    min_rows: int = Field(200, ge=1)


class Retraining(_Strict):
    """When a scorecard is trained again: after so many months, and where its population drifted.

    ``min_days`` must have passed since the last training before drift calls for another.
    """

    every_months: int = Field(1, ge=1)
    on_drift: bool = True
    min_days: int = Field(7, ge=1)


class OverrideLimits(_Strict):
    """How far people may change grades by hand: share of customers, notches, days."""

    max_share: float = Field(0.05, gt=0, le=1)
    max_notches: int = Field(2, ge=1)
    max_days: int = Field(180, ge=1)


class ProtectedOverride(_Strict):
    """A named person's leave to use a protected attribute."""

    attribute: str
    approver: str
    reason: str


class ScorecardSpec(_Strict):
    """A whole scorecard declaration.

    ``promotion`` overrides the platform's setting ``model_promotion`` for this scorecard. ``pack``:
    a full validation pack also repeats the training on other seeds, which takes as long again each.
    """

    name: str
    books: tuple[str, ...]
    title: Text
    algorithm: Literal["woe_logistic", "boosted_additive"] = "woe_logistic"
    label_table: str = "features.label_default"
    population: Population = Population()
    reject_inference: RejectInference = RejectInference()
    observation: Observation = Observation()
    split: Split = Split()
    binning: Binning = Binning()
    selection: Selection = Selection()
    boosting: Boosting = Boosting()
    scaling: ScalingSettings = ScalingSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    gates: GateLimits = GateLimits()
    fairness: Fairness = Fairness()
    promotion: Literal["gates", "approval"] | None = None
    retraining: Retraining = Retraining()
    overrides: OverrideLimits = OverrideLimits()
    pack: Literal["brief", "full"] = "brief"
    protected: tuple[str, ...]
    protected_overrides: tuple[ProtectedOverride, ...] = ()
    sources: tuple[Source, ...]

    @property
    def features(self) -> dict[str, Feature]:
        """Every candidate by name."""
        return {feature.name: feature for source in self.sources for feature in source.features}

    @property
    def protected_in_use(self) -> list[str]:
        """Protected attributes among the candidates that nobody allowed by name."""
        allowed = {override.attribute for override in self.protected_overrides}
        return sorted(set(self.features) & set(self.protected) - allowed)

    @model_validator(mode="after")
    def _sound(self) -> ScorecardSpec:
        names = [feature.name for source in self.sources for feature in source.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        if self.protected_in_use:
            raise ValueError(
                f"protected attributes as features: {', '.join(self.protected_in_use)}"
                " (needs protected_overrides with an approver)"
            )
        return self


@dataclass(frozen=True)
class BrokenScorecard:
    """A scorecard that is left out because its file is at fault.

    Attributes
    ----------
    name: its own, or that of the file where it cannot be read.
    books: those it is meant for, as far as can be read.
    error: what is wrong with it, and where.
    """

    path: Path
    name: str
    books: tuple[str, ...]
    error: UsageError


def load_scorecards() -> dict[str, ScorecardSpec]:
    """Every scorecard by name: the shipped ones, and those of ``CREDITOPS_HOME/scorecards``.

    A scorecard of the home replaces a shipped one of the same name. One that is at fault is left out, and so
    is what it would replace (:func:`broken_scorecards`).
    """
    return _read()[0]


def broken_scorecards() -> list[BrokenScorecard]:
    """Scorecards of the home that are left out because of a fault, by path."""
    return _read()[1]


def _read() -> tuple[dict[str, ScorecardSpec], list[BrokenScorecard]]:
    specs: dict[str, ScorecardSpec] = {}
    broken: list[BrokenScorecard] = []
    for path in sorted((get_settings().home / "scorecards").glob("*.yml")):
        name = path.stem
        try:
            text, document = read_mapping(path)
            name = str(document.get("name", name))
            spec = parse_scorecard(text, str(path))
            if spec.name in specs:
                raise UsageError(f"{path}: name: {spec.name!r} is declared twice", hint="choose another name")
        except UsageError as error:
            replaced = _shipped().get(name)
            books = names_in(path, "books") or (replaced.books if replaced else ())
            broken.append(BrokenScorecard(path, name, books, error))
        else:
            specs[spec.name] = spec
    left_out = {each.name for each in broken}
    return {name: spec for name, spec in {**_shipped(), **specs}.items() if name not in left_out}, broken


@lru_cache
def _shipped() -> dict[str, ScorecardSpec]:
    entries = sorted(files("models_ml").joinpath("scorecards").iterdir(), key=lambda entry: entry.name)
    specs = [
        parse_scorecard(entry.read_text(encoding="utf-8"), entry.name)
        for entry in entries
        if entry.name.endswith(".yml")
    ]
    return {spec.name: spec for spec in specs}


def scorecard(name: str) -> ScorecardSpec:
    """The scorecard called ``name``.

    Raises
    ------
    UsageError: there is none, or its file is at fault.
    """
    specs, broken = _read()
    for each in broken:
        if each.name == name:
            raise each.error
    if name not in specs:
        raise UsageError(f"there is no scorecard {name!r}", hint=f"use one of {', '.join(specs)}")
    return specs[name]


def scorecards_of(book: str) -> list[ScorecardSpec]:
    """The scorecards that cover ``book``, by name.

    Raises
    ------
    UsageError: one of them is at fault; to go on would be to publish without its scores.
    """
    specs, broken = _read()
    for each in broken:
        if book in each.books:
            raise each.error
    return [spec for _, spec in sorted(specs.items()) if book in spec.books]


def parse_scorecard(text: str, where: str) -> ScorecardSpec:
    """Read one declaration.

    Parameters
    ----------
    text: YAML.
    where: file name for messages.

    Raises
    ------
    UsageError: the YAML does not fit; the message names file and field.
    """
    data = parse_mapping(text, where)
    try:
        data["sources"] = [_with_catalogue(source) for source in _as_list(data.get("sources", []), "sources")]
        return ScorecardSpec.model_validate(data)
    except LookupError as error:
        raise UsageError(
            f"{where}: feature {error} has no label here nor in the catalogue of its table",
            hint="give it a label with zh and en, or add it to models_ml/catalogue",
        ) from error
    except TypeError as error:
        raise UsageError(f"{where}: {error}", hint="mend the scorecard's YAML") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {field}: {first['msg']}", hint="mend the scorecard's YAML") from error


def _as_list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{what}: is no list")
    return value


def _with_catalogue(source: object) -> dict[str, Any]:
    """Fill each named feature from its table's catalogue; ``all`` names everything in it."""
    if not isinstance(source, dict) or not isinstance(source.get("table"), str) or "features" not in source:
        raise TypeError("sources: each needs a `table` and its `features`")
    known = _catalogue(source["table"])
    features = []
    every = source["features"] == "all"
    for entry in known if every else _as_list(source["features"], f"{source['table']}: features"):
        own = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(own, dict) or "name" not in own:
            raise TypeError(f"{source['table']}: features: each is a name, or a mapping with a `name`")
        merged = {**known.get(own["name"], {}), **own}
        if "label" not in merged:
            raise KeyError(own["name"])
        features.append(merged)
    return {**source, "features": features}


def _catalogue(table: str) -> dict[str, dict[str, Any]]:
    name = table.rpartition(".")[2]
    if name.startswith(CHARACTERISTICS):
        return _declared_characteristics(name.removeprefix(CHARACTERISTICS))
    return _shipped_catalogue(name)


@lru_cache
def _shipped_catalogue(name: str) -> dict[str, dict[str, Any]]:
    entry = files("models_ml").joinpath("catalogue", f"{name}.yml")
    if not entry.is_file():
        return {}
    features = yaml.safe_load(entry.read_text(encoding="utf-8"))["features"]
    return {feature["name"]: feature for feature in features}


def _declared_characteristics(book: str) -> dict[str, dict[str, Any]]:
    """What the book's contract says of its characteristics, protected ones and dates left out."""
    contract = contract_of(book)
    found: dict[str, dict[str, Any]] = {}
    for column in contract.columns if contract else ():
        if column.name in ("customer_id", "observed_on") or column.protected or column.type in ("date", "ts"):
            continue
        found[column.raw_name] = {
            "name": column.raw_name,
            "kind": "categorical" if column.type in ("code", "id", "text") else "numeric",
            "direction": _DIRECTIONS[column.direction or "none"],
            "special_values": {float(code): text.en for code, text in column.special_values.items()}
            if column.type not in ("code", "id", "text")
            else {},
            "label": {"zh": column.description.zh.rstrip("。"), "en": column.description.en.rstrip(".")},
        }
    return found
