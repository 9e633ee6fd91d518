"""Logistic regression by Newton's method, with the covariance that p-values need."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LogisticFit:
    """Maximum likelihood fit; ``covariance`` is of (coefficients..., intercept)."""

    intercept: float
    coefficients: np.ndarray
    covariance: np.ndarray
    log_likelihood: float

    @property
    def p_values(self) -> np.ndarray:
        """Two-sided Wald p-values of the coefficients."""
        from scipy.special import ndtr

        errors = np.sqrt(np.maximum(np.diag(self.covariance)[:-1], 1e-300))
        return 2 * ndtr(-np.abs(self.coefficients) / errors)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Log odds of the outcome."""
        return x @ self.coefficients + self.intercept


def fit_logistic(
    x: np.ndarray,
    outcome: np.ndarray,
    *,
    ridge: float | np.ndarray = 0.0,
    offset: np.ndarray | float = 0.0,
    start: LogisticFit | None = None,
    iterations: int = 50,
) -> LogisticFit:
    """Fit P(outcome = 1) = 1 / (1 + exp(-(x b + a))).

    Parameters
    ----------
    x: (rows, columns), finite.
    outcome: 0 or 1.
    offset: known part of the linear predictor, per row.
    ridge: penalty ridge / 2 x b^2 per column, the intercept free. A trace of it is always there, so
        that a separated column does not run away.
    """
    design = np.column_stack([x, np.ones(len(x))])
    penalty = np.append(np.broadcast_to(np.asarray(ridge, dtype=float) + 1e-6, x.shape[1]), 0.0)
    weights = np.zeros(design.shape[1])
    weights[-1] = log_odds(float(np.clip(np.mean(outcome), 1e-9, 1 - 1e-9)))
    if start is not None and len(start.coefficients) == x.shape[1]:
        weights = np.append(start.coefficients, start.intercept)
    objective, hessian = -math.inf, np.eye(len(weights))
    for _ in range(iterations):
        linear = design @ weights + offset
        probability = 1 / (1 + np.exp(-np.clip(linear, -700, 700)))
        gradient = design.T @ (outcome - probability) - penalty * weights
        curvature = probability * (1 - probability)
        hessian = (design * curvature[:, None]).T @ design + np.diag(penalty + 1e-9)
        value = _log_likelihood(linear, outcome) - 0.5 * float(penalty @ weights**2)
        step = np.linalg.solve(hessian, gradient)
        if value - objective < 1e-9 * (abs(value) + 1) and np.max(np.abs(step)) < 1e-6:
            break
        objective = value
        weights = weights + _damped(design, outcome, weights, step, penalty, value, offset)
    linear = design @ weights + offset
    return LogisticFit(
        float(weights[-1]), weights[:-1], np.linalg.inv(hessian), _log_likelihood(linear, outcome)
    )


def log_odds(probability: float) -> float:
    """ln(p / (1 - p))."""
    return math.log(probability / (1 - probability))


def _damped(
    design: np.ndarray, outcome: np.ndarray, weights: np.ndarray, step: np.ndarray,
    penalty: np.ndarray, value: float, offset: np.ndarray | float,
) -> np.ndarray:  # fmt: skip
    for _ in range(20):
        trial = weights + step
        likelihood = _log_likelihood(design @ trial + offset, outcome)
        if likelihood - 0.5 * float(penalty @ trial**2) >= value - 1e-12:
            return step
        step = step / 2
    return step


def _log_likelihood(linear: np.ndarray, outcome: np.ndarray) -> float:
    return float(np.sum(outcome * linear - np.logaddexp(0.0, linear)))
