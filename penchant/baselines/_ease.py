"""EASE: a linear item-to-item model in closed form, hard to beat on dense data."""

from dataclasses import dataclass

import numpy as np

from penchant.baselines._linear import LinearScorer
from penchant.baselines._matrix import had_both
from penchant.behaviours import Behaviours
from penchant.types import F32, F64


@dataclass(frozen=True)
class Ease:
    """Ridge regression of each item on all others.

    ridge: the penalty λ > 0.  memory: of the history that is asked with, in events (see `LinearScorer`); the regression
    itself knows no time.
    Source: Steck 2019, "Embarrassingly shallow autoencoders for sparse data", arXiv:1905.03375.
    """

    ridge: float = 400.0
    memory: float | None = None

    def fit(self, train: Behaviours, vectors: F32) -> LinearScorer:
        gram = had_both(train, len(vectors)).astype(np.float64)
        return LinearScorer(_weights(gram, self.ridge), self.memory)


def _weights(gram: F64, ridge: float) -> F32:
    """float32[n_items, n_items] with a zero diagonal. gram: float64[n_items, n_items], XᵀX; overwritten."""
    np.fill_diagonal(gram, gram.diagonal() + ridge)
    inverse = np.linalg.inv(gram)
    weights = (inverse / -inverse.diagonal()).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return weights
