"""What most item-to-item models become once fitted: a history times a matrix."""

from dataclasses import dataclass

import numpy as np

from penchant.baselines._matrix import had
from penchant.behaviours import Behaviours
from penchant.types import F32, I64


@dataclass(frozen=True, eq=False)
class LinearScorer:
    """weights: float32[n_items, n_items], what having the row's item adds to the column's score.

    memory: events after which an item in a history counts 1/e of the latest; None counts all alike.
    """

    weights: F32
    memory: float | None = None

    def scores(self, histories: Behaviours, users: I64) -> F32:
        return np.asarray(
            had(histories, len(self.weights), users, memory=self.memory) @ self.weights, np.float32
        )
