"""EASE: a linear item-to-item model in closed form, hard to beat on dense data."""

from dataclasses import dataclass

import numpy as np

from penchant.baselines._matrix import had
from penchant.behaviours import Behaviours
from penchant.types import F32, F64, I64


@dataclass(frozen=True)
class Ease:
    """Ridge regression of each item on all others. ridge: the penalty λ > 0.

    Source: Steck 2019, "Embarrassingly shallow autoencoders for sparse data", arXiv:1905.03375.
    """

    ridge: float = 400.0

    def fit(self, train: Behaviours, n_items: int) -> "LinearScorer":
        matrix = had(train, n_items)
        return LinearScorer(ease_weights((matrix.T @ matrix).toarray().astype(np.float64), self.ridge))


@dataclass(frozen=True, eq=False)
class LinearScorer:
    """weights: float32[n_items, n_items], what having the row's item adds to the column's score."""

    weights: F32

    def scores(self, histories: Behaviours, users: I64) -> F32:
        return np.asarray(had(histories, len(self.weights), users) @ self.weights, np.float32)


def ease_weights(gram: F64, ridge: float) -> F32:
    """float32[n_items, n_items] with a zero diagonal. gram: float64[n_items, n_items], XᵀX; overwritten."""
    np.fill_diagonal(gram, gram.diagonal() + ridge)
    inverse = np.linalg.inv(gram)
    weights = (inverse / -inverse.diagonal()).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return weights
