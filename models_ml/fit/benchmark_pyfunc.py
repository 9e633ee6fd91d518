"""A gradient boosting benchmark as an MLflow model; MLflow loads this file as the model's code.

Input: the candidate features. Output: a frame with column ``pd``. Needs nothing of the project.
"""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class BenchmarkPyfunc(PythonModel):
    """Probability of default by gradient boosting, see :mod:`models_ml.fit.benchmark_models`."""

    def load_context(self, context: Any) -> None:
        self.model = joblib.load(context.artifacts["benchmark"])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        categories, columns = self.model["categories"], []
        for name in self.model["features"]:
            if name in categories:
                codes = {value: float(code) for code, value in enumerate(categories[name])}
                columns.append(model_input[name].map(codes).to_numpy(dtype=float))
            else:
                columns.append(model_input[name].to_numpy(dtype=float, na_value=np.nan))
        pd_ = self.model["machine"].predict_proba(np.column_stack(columns))[:, 1]
        return pd.DataFrame({"pd": pd_}, index=model_input.index)


set_model(BenchmarkPyfunc())
