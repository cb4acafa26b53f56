"""Logistic regression by Newton's method, weighted and with an L2 penalty: numpy and nothing else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEPS = 50
CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights over standardised features."""

    means: Array
    scales: Array
    weights: Array
    bias: float


def fit(features: Array, labels: Array, importance: Array, *, penalty: float) -> Fitted:
    """Minimise weighted log loss + penalty / 2 * |weights|^2. Importances are brought to a mean of one."""
    importance = importance / importance.mean()
    means = np.average(features, axis=0, weights=importance)
    scales = np.sqrt(np.average((features - means) ** 2, axis=0, weights=importance))
    scales[scales < 1e-9] = 1.0
    x = np.hstack([(features - means) / scales, np.ones((len(features), 1))])
    ridge = np.diag([penalty] * features.shape[1] + [0.0])  # the bias is free
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (importance * (labels - p)) - ridge @ beta
        curvature = (x * (importance * p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(beta)), gradient)
        beta = beta + step
        if float(np.abs(step).max()) < CLOSE:
            break
    return Fitted(means, scales, beta[:-1], float(beta[-1]))
