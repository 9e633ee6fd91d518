"""Each method: fit on development rows, give the risk of hold-out rows (higher is riskier)."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from models_ml.fit.estimator import ScorecardClassifier

Method = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame], np.ndarray]


def boosted(development: pd.DataFrame, bad: np.ndarray, hold_out: pd.DataFrame) -> np.ndarray:
    """The boosted additive points scorecard: 20 characteristics, 10 bins, integer points."""
    return _points(ScorecardClassifier("boosted_additive"), development, bad, hold_out)


def classic(development: pd.DataFrame, bad: np.ndarray, hold_out: pd.DataFrame) -> np.ndarray:
    """The classic points scorecard: optimal binning, selection, logistic regression on WOE."""
    return _points(ScorecardClassifier("woe_logistic"), development, bad, hold_out)


def optbinning(development: pd.DataFrame, bad: np.ndarray, hold_out: pd.DataFrame) -> np.ndarray:
    """optbinning's Scorecard with its defaults over scikit-learn's logistic regression."""
    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    names = [str(name) for name in development.columns]
    process = BinningProcess(names, categorical_variables=_categories(development) or None)
    card = Scorecard(binning_process=process, estimator=LogisticRegression(max_iter=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        card.fit(_objects(development), bad)
        return np.asarray(card.predict_proba(_objects(hold_out)))[:, 1]


def logistic(development: pd.DataFrame, bad: np.ndarray, hold_out: pd.DataFrame) -> np.ndarray:
    """Plain logistic regression: medians for missing, standardised numbers, one-hot categories."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    categories = _categories(development)
    numbers = [name for name in development.columns if name not in categories]
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), categories),
        ),
        LogisticRegression(max_iter=5000),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(development, bad)
    return np.asarray(model.predict_proba(hold_out))[:, 1]


def gradient_boosting(development: pd.DataFrame, bad: np.ndarray, hold_out: pd.DataFrame) -> np.ndarray:
    """scikit-learn's histogram gradient boosting with its defaults: free, no table."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    categories = _categories(development)
    # It takes at most 255 categories a column; the rarest count as missing.
    shared = {name: list(development[name].value_counts().index[:250]) for name in categories}

    def typed(frame: pd.DataFrame) -> pd.DataFrame:
        columns = {name: pd.Categorical(frame[name], shared[name]) for name in categories}
        return frame.assign(**columns)

    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    model.fit(typed(development), bad)
    return np.asarray(model.predict_proba(typed(hold_out)))[:, 1]


def _points(
    card: ScorecardClassifier, development: pd.DataFrame, bad: np.ndarray, hold_out: pd.DataFrame
) -> np.ndarray:
    card.fit(development, bad)
    characteristics = card.table_.characteristics
    assert len(characteristics) <= 20
    assert all(sum(b.count > 0 for b in each.bins) <= 10 for each in characteristics)
    return -card.decide(hold_out)["score"].to_numpy()


def _categories(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]


def _objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as objects: optbinning knows no string type."""
    return frame.astype(dict.fromkeys(_categories(frame), object))


METHODS: dict[str, Method] = {
    "boosted scorecard": boosted,
    "classic scorecard": classic,
    "optbinning": optbinning,
    "logistic regression": logistic,
    "gradient boosting": gradient_boosting,
}
