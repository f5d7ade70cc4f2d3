"""EASE: a linear item-to-item model in closed form, hard to beat on dense data."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from penchant.baselines._linear import LinearScorer
from penchant.baselines._matrix import had, together
from penchant.baselines._settings import Positive
from penchant.behaviours import Behaviours
from penchant.types import F32, F64, I64

_LARGE: Final = 6000
"""Items from which on all their pairs are too many, where there are fewer people."""


@dataclass(frozen=True)
class Ease:
    """Ridge regression of each item on all others.

    ridge: the penalty λ > 0.  memory: of the history that is asked with, in events (see `LinearScorer`); the regression
    itself knows no time.
    Source: Steck 2019, "Embarrassingly shallow autoencoders for sparse data", arXiv:1905.03375.
    """

    ridge: Positive = 400.0
    memory: Positive | None = None

    def fit(self, train: Behaviours, vectors: F32) -> "LinearScorer | FoldedEase":
        if len(vectors) > max(_LARGE, train.n_users):
            return FoldedEase.of(had(train, len(vectors)), self.ridge, self.memory)
        gram = together(train, len(vectors)).toarray().astype(np.float64)
        return LinearScorer(_weights(gram, self.ridge), self.memory)


@dataclass(frozen=True, eq=False)
class FoldedEase:
    """The same scores where there are more items than people, without the matrix of all pairs of items.

    With X the people's items, P = (XᵀX + λI)⁻¹ = (I - Xᵀ(XXᵀ + λI)⁻¹X) / λ, and a history h scores h - hP / diag(P).
    people: csr[n_users, n_items], X.  solved: float32[n_users, n_items], (XXᵀ + λI)⁻¹X.
    diagonal: float32[n_items], λ diag(P).
    Source: the matrix inversion lemma (Woodbury).
    """

    people: csr_array
    solved: F32
    diagonal: F32
    memory: float | None = None

    @classmethod
    def of(cls, people: csr_array, ridge: float, memory: float | None) -> "FoldedEase":
        kernel = (people @ people.T).toarray().astype(np.float64)
        np.fill_diagonal(kernel, kernel.diagonal() + ridge)
        solved = np.asarray(np.linalg.inv(kernel) @ people, np.float32)
        diagonal = 1 - np.asarray(people.multiply(solved).sum(axis=0), np.float32)
        return cls(people, solved, diagonal, memory)

    def scores(self, histories: Behaviours, users: I64) -> F32:
        asked = had(histories, self.people.shape[1], users, memory=self.memory)
        own = asked.toarray()
        near = (asked @ self.people.T).toarray() @ self.solved
        return np.asarray(own - (own - near) / self.diagonal, np.float32)


def _weights(gram: F64, ridge: float) -> F32:
    """float32[n_items, n_items] with a zero diagonal. gram: float64[n_items, n_items], XᵀX; overwritten."""
    np.fill_diagonal(gram, gram.diagonal() + ridge)
    inverse = np.linalg.inv(gram)
    weights = (inverse / -inverse.diagonal()).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return weights
