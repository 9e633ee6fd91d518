"""A scorecard as a scikit-learn classifier, for a frame that comes from no warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from creditops.errors import DataRefusedError, UsageError
from models_ml.card.evaluate import score_frame
from models_ml.card.points_table import MISSING_TEXTS, Text
from models_ml.fit.binning import require_finite
from models_ml.fit.classic import fit_classic
from models_ml.spec import Binning, Boosting, Direction, Feature, ScorecardSpec, Selection, Source

Algorithm = Literal["boosted_additive", "woe_logistic"]


class ScorecardClassifier(ClassifierMixin, BaseEstimator):
    """Fits a points table: at most ``max_characteristics`` characteristics of at most ``max_bins`` bins.

    Parameters
    ----------
    algorithm: ``boosted_additive`` (:mod:`models_ml.fit.boosted`) or ``woe_logistic``
        (:mod:`models_ml.fit.classic`).
    directions: ``higher_is_riskier`` or ``higher_is_safer`` per column, where known.
    special_values: per column, numbers with a meaning of their own.
    random_state: seed of boosting.

    Attributes
    ----------
    table_: the fitted :class:`models_ml.card.points_table.PointsTable`.
    dropped_: why a column is not in.

    A column whose values are numbers or booleans, of any type, is numeric, any other categorical; NaN, None
    and NA are missing. Columns go by their names as text, as do categories, whole numbers without a decimal
    point. The outcome is 1 for bad.
    """

    def __init__(
        self,
        algorithm: Algorithm = "boosted_additive",
        max_characteristics: int = 20,
        max_bins: int = 10,
        directions: Mapping[str, str] | None = None,
        special_values: Mapping[str, Mapping[float, str]] | None = None,
        random_state: int = 0,
    ) -> None:
        self.algorithm = algorithm
        self.max_characteristics = max_characteristics
        self.max_bins = max_bins
        self.directions = directions
        self.special_values = special_values
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any) -> ScorecardClassifier:  # noqa: N803
        """Fit on rows ``X`` with outcome ``y``.

        Raises
        ------
        UsageError: a parameter names no column, or no direction.
        DataRefusedError: an outcome that is not exactly 0 or 1, one outcome only, an infinite value, two
            columns of one name, or no column says anything about the outcome.
        """
        frame = _frame(X)
        bad = _outcome(y, len(frame))
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.kinds_ = {name: _kind(frame[name]) for name in frame.columns}
        self._check_parameters()
        self.classes_ = np.array([0, 1])
        spec, inputs = self._declaration(), self._inputs(frame)
        require_finite(inputs, list(spec.features.values()))
        if self.algorithm == "boosted_additive":
            from models_ml.fit.boosted import fit_boosted

            model = fit_boosted(inputs, bad, spec, seed=self.random_state)
        else:
            model = fit_classic(inputs, bad, spec)
        from models_ml.fit.fitting import build_table

        self.table_ = build_table("frame", spec, model, inputs, bad)
        self.dropped_ = model.dropped
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Probabilities of good and bad; shape (rows, 2)."""
        bad = self.decide(X)["pd"].to_numpy()
        return np.column_stack([1 - bad, bad])

    def predict(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """1 where bad is likelier than good."""
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)

    def decide(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        """Score, PD, grade, points and reasons per row; see :func:`models_ml.card.evaluate.score_frame`."""
        check_is_fitted(self, "table_")
        return score_frame(self.table_, self._inputs(X)).set_axis(X.index, axis=0)

    def _inputs(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        frame = _frame(X)
        absent = [name for name in self.kinds_ if name not in frame]
        if absent:
            raise DataRefusedError(
                f"column {absent[0]} is not among {len(frame.columns)} columns",
                hint="give every column that the scorecard was fitted on",
            )
        read = {"numeric": _numbers, "categorical": _texts}
        return pd.DataFrame({name: read[kind](frame[name]) for name, kind in self.kinds_.items()})

    def _check_parameters(self) -> None:
        if self.algorithm not in get_args(Algorithm):
            raise UsageError(
                f"algorithm {self.algorithm!r} is not known",
                hint=f"use one of {', '.join(get_args(Algorithm))}",
            )
        for parameter in ("directions", "special_values"):
            for name in _by_name(getattr(self, parameter)):
                if name not in self.kinds_:
                    raise UsageError(
                        f"{parameter}: there is no column {name!r}",
                        hint=f"the columns are {', '.join(self.kinds_)}",
                    )
        for name, direction in _by_name(self.directions).items():
            if direction not in get_args(Direction):
                raise UsageError(
                    f"directions: {name}: {direction!r} is no direction",
                    hint=f"use one of {', '.join(get_args(Direction))}",
                )
        for name in _by_name(self.special_values):
            if self.kinds_[name] != "numeric":
                raise UsageError(
                    f"special_values: {name} is a column of categories",
                    hint="a category has a bin of its own by its name",
                )

    def _declaration(self) -> ScorecardSpec:
        directions, specials = _by_name(self.directions), _by_name(self.special_values)
        features = tuple(
            # Names come from outside: any is allowed here.
            Feature.model_construct(
                name=name,
                kind=kind,  # type: ignore[arg-type]
                direction=directions.get(name, "none"),  # type: ignore[arg-type]
                special_values=dict(specials.get(name, {})),
                label=Text(name, name),
            )
            for name, kind in self.kinds_.items()
        )
        return ScorecardSpec(
            name="frame",
            books=("frame",),
            title=Text("", ""),
            algorithm=self.algorithm,
            protected=(),
            sources=(Source(table="frame", features=features),),
            binning=Binning(max_bins=self.max_bins),
            # Nobody has looked at these columns before: selection leans towards keeping.
            selection=Selection(
                max_characteristics=self.max_characteristics,
                max_p_value=0.1,
                max_correlation=0.95,
                max_vif=20,
            ),
            boosting=Boosting(),
        )


def _by_name(declared: Mapping[Any, Any] | None) -> dict[str, Any]:
    return {str(name): value for name, value in (declared or {}).items()}


def _frame(rows: Any) -> pd.DataFrame:
    """Rows as a frame with an index from 0 and texts as names."""
    frame = pd.DataFrame(rows).reset_index(drop=True)
    frame.columns = pd.Index([str(name) for name in frame.columns], dtype=object)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataRefusedError(f"two columns are named {twice[0]}", hint="rename one")
    return frame


def _outcome(given: Any, rows: int) -> np.ndarray:
    values = pd.Series(given).reset_index(drop=True)
    if len(values) != rows:
        raise DataRefusedError(
            f"{len(values)} outcomes for {rows} rows", hint="give one outcome for each row"
        )
    wrong = ~(values.map(_is_number) & values.isin([0, 1]))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataRefusedError(
            f"outcome of row {row + 1} is {values[row]}: it must be exactly 0 (good) or 1 (bad)",
            hint="code bad as 1 and good as 0, and leave out rows without an outcome",
        )
    bad = values.astype(np.int8).to_numpy()
    if set(bad) != {0, 1}:
        raise DataRefusedError(
            "the outcome must be 0 (good) and 1 (bad), and have both", hint="add rows of the other kind"
        )
    return bad


def _is_number(value: Any) -> bool:
    return isinstance(value, Number | np.bool_) and not isinstance(value, complex)


def _kind(values: pd.Series) -> str:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    known = values.dropna()
    numeric = is_numeric_dtype(values) or is_bool_dtype(values)
    return "numeric" if numeric or (len(known) > 0 and known.map(_is_number).all()) else "categorical"


def _numbers(values: pd.Series) -> pd.Series:
    read = pd.to_numeric(values.astype(object).where(values.notna(), None), errors="coerce").astype("float64")
    unread = values.notna() & read.isna() & ~values.map(_is_number)
    if unread.any():
        row = int(np.argmax(unread))
        raise DataRefusedError(
            f"column {values.name}, row {row + 1}: {values[row]!r} is no number",
            hint="the scorecard was fitted on numbers there: give numbers, or missing",
        )
    return read


def _texts(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), None).map(_text)


def _text(value: Any) -> str | None:
    """A category by name; 1, 1.0 and "1" are one."""
    if value is None or value in MISSING_TEXTS:
        return None
    whole = _is_number(value) and not isinstance(value, bool | np.bool_) and value == value // 1
    return str(int(value)) if whole else str(value)
