"""What most item-to-item models become once fitted: a history times a matrix."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, issparse

from penchant.baselines._matrix import had
from penchant.behaviours import Behaviours
from penchant.types import F32, I64


@dataclass(frozen=True, eq=False)
class LinearScorer:
    """weights: float32[n_items, n_items], what having the row's item adds to the column's score; sparse or not.

    memory: events after which an item in a history counts 1/e of the latest; None counts all alike.
    """

    weights: F32 | csr_array
    memory: float | None = None

    def scores(self, histories: Behaviours, users: I64) -> F32:
        found = had(histories, self.weights.shape[0], users, memory=self.memory) @ self.weights
        return np.asarray(found.toarray() if issparse(found) else found, np.float32)
