"""Nearest neighbours: of people, of items by who had them, of items by what they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import csr_array, vstack

from penchant.baselines._linear import LinearScorer
from penchant.baselines._matrix import had, strongest, strongest_of_rows, together
from penchant.baselines._settings import Count, NotNegative, Positive
from penchant.behaviours import Behaviours
from penchant.types import F32, I64

_ROWS: Final = 1024
"""Items at once that are held against all others: their similarities are never all in memory."""


@dataclass(frozen=True)
class UserKnn:
    """What the people most like this one had, weighted by likeness (cosine of their items).

    neighbours: people to ask.  memory: of the history that is asked with, in events.
    """

    neighbours: Count = 100
    memory: Positive | None = None

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

    neighbours: Count = 100
    shrink: NotNegative = 10.0
    memory: Positive | None = None

    def fit(self, train: Behaviours, vectors: F32) -> LinearScorer:
        both = together(train, len(vectors))
        norms = np.sqrt(both.diagonal())
        rows, columns = np.repeat(np.arange(both.shape[0]), np.diff(both.indptr)), both.indices
        cosine = both.data / (norms[rows] * norms[columns] + np.float32(self.shrink))
        cosine[rows == columns] = 0
        nearest = strongest_of_rows(csr_array((cosine, columns, both.indptr), both.shape), self.neighbours)
        return LinearScorer(nearest.T.tocsr(), self.memory)


@dataclass(frozen=True)
class ContentKnn:
    """Items whose vectors are like those in the history (cosine); knows nothing of other people."""

    neighbours: Count = 100
    memory: Positive | None = 20.0

    def fit(self, train: Behaviours, vectors: F32) -> LinearScorer:  # noqa: ARG002 - others teach it nothing
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        directions = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
        nearest = vstack(list(_most_alike(directions, self.neighbours)), format="csr")
        return LinearScorer(nearest.T.tocsr(), self.memory)


def _most_alike(directions: F32, k: int) -> Iterator[csr_array]:
    """The k largest cosines of each item, block by block: csr[n_rows, n_items]."""
    for start in range(0, len(directions), _ROWS):
        cosine = np.asarray(directions[start : start + _ROWS] @ directions.T, np.float32)
        own = np.arange(len(cosine))
        cosine[own, start + own] = 0
        yield csr_array(strongest(cosine, k))
