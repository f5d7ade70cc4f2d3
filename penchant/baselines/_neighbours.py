"""Nearest neighbours: of people, of items by who had them, of items by what they are."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from penchant.baselines._linear import LinearScorer
from penchant.baselines._matrix import had, had_both, strongest
from penchant.behaviours import Behaviours
from penchant.types import F32, I64

_LARGE: Final = 6000
"""Items from which on similarities are kept without their zeros."""


@dataclass(frozen=True)
class UserKnn:
    """What the people most like this one had, weighted by likeness (cosine of their items).

    neighbours: people to ask.  memory: of the history that is asked with, in events.
    """

    neighbours: int = 100
    memory: float | None = None

    def fit(self, train: Behaviours, vectors: F32) -> "UserKnnScorer":
        return UserKnnScorer(had(train, len(vectors)), self.neighbours, self.memory)


@dataclass(frozen=True, eq=False)
class UserKnnScorer:
    """people: csr[n_users, n_items], the people to ask."""

    people: csr_array
    neighbours: int
    memory: float | None

    def scores(self, histories: Behaviours, users: I64) -> F32:
        """In training, everybody is their own nearest neighbour, which adds to items that are left out anyway."""
        asked = had(histories, self.people.shape[1], users, memory=self.memory)
        sizes = np.sqrt(np.maximum(np.diff(self.people.indptr), 1)).astype(np.float32)
        likeness = np.asarray((asked @ self.people.T).toarray() / sizes, np.float32)
        nearest = csr_array(strongest(likeness, self.neighbours))
        return np.asarray((nearest @ self.people).toarray(), np.float32)


@dataclass(frozen=True)
class ItemKnn:
    """Items that the same people had as those in the history (cosine, shrunk where few people had both).

    Source: Deshpande and Karypis 2004, doi:10.1145/963770.963776.
    """

    neighbours: int = 100
    shrink: float = 10.0
    memory: float | None = None

    def fit(self, train: Behaviours, vectors: F32) -> LinearScorer:
        both = had_both(train, len(vectors))
        norms = np.sqrt(both.diagonal())
        shrunk = np.outer(norms, norms) + self.shrink
        cosine = np.divide(both, shrunk, out=np.zeros_like(both), where=shrunk > 0)
        np.fill_diagonal(cosine, 0)
        return LinearScorer(_kept(strongest(cosine.T, self.neighbours)), self.memory)


@dataclass(frozen=True)
class ContentKnn:
    """Items whose vectors are like those in the history (cosine); knows nothing of other people."""

    neighbours: int = 100
    memory: float | None = 20.0

    def fit(self, train: Behaviours, vectors: F32) -> LinearScorer:  # noqa: ARG002 - others teach it nothing
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        directions = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
        cosine = np.asarray(directions @ directions.T, np.float32)
        np.fill_diagonal(cosine, 0)
        return LinearScorer(_kept(strongest(cosine, self.neighbours)), self.memory)


def _kept(nearest: F32) -> F32 | csr_array:
    """Transposed; without its zeros where a catalogue is so large that they would fill the memory."""
    if len(nearest) > _LARGE:
        return csr_array(nearest).T.tocsr()
    return np.ascontiguousarray(nearest.T)
