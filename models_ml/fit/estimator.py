"""A scorecard as a scikit-learn classifier, for a frame that comes from no warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from creditops.errors import DataRefusedError
from models_ml.card.evaluate import score_frame
from models_ml.card.points_table import Text
from models_ml.fit.classic import fit_classic
from models_ml.spec import Binning, Boosting, Feature, ScorecardSpec, Selection, Source


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

    A column of numbers or booleans is numeric, any other categorical; NaN and None are missing. The
    outcome is 1 for bad.
    """

    def __init__(
        self,
        algorithm: Literal["boosted_additive", "woe_logistic"] = "boosted_additive",
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
        DataRefusedError: one outcome only, or no column says anything about it.
        """
        bad = np.asarray(y).astype(np.int8)
        if set(np.unique(bad)) != {0, 1}:
            raise DataRefusedError(
                "the outcome must be 0 (good) and 1 (bad), and have both",
                hint="code bad as 1 and good as 0",
            )
        frame = X.reset_index(drop=True)
        self.feature_names_in_ = np.array(frame.columns, dtype=object)
        self.kinds_ = {str(name): _kind(frame[name]) for name in frame.columns}
        self.classes_ = np.array([0, 1])
        spec, inputs = self._declaration(), self._inputs(frame)
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

    def _inputs(self, frame: pd.DataFrame) -> pd.DataFrame:
        columns = {}
        for name, kind in self.kinds_.items():
            values = frame[name].reset_index(drop=True)
            if kind == "numeric":
                columns[name] = pd.to_numeric(values).astype("float64")
            else:
                columns[name] = values.astype(object).where(values.notna(), None).map(_text)
        return pd.DataFrame(columns)

    def _declaration(self) -> ScorecardSpec:
        directions, specials = self.directions or {}, self.special_values or {}
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


def _kind(values: pd.Series) -> str:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return "numeric" if is_numeric_dtype(values) or is_bool_dtype(values) else "categorical"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
