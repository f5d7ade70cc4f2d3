"""Popularity: the same list for everybody."""

from dataclasses import dataclass

import numpy as np

from penchant.baselines._matrix import had
from penchant.behaviours import Behaviours
from penchant.types import F32, I64


@dataclass(frozen=True)
class Popularity:
    """Items by the number of people who had them in training."""

    def fit(self, train: Behaviours, n_items: int) -> "PopularityScorer":
        return PopularityScorer(np.asarray(had(train, n_items).sum(axis=0), np.float32))


@dataclass(frozen=True, eq=False)
class PopularityScorer:
    """people: float32[n_items], how many people had each item."""

    people: F32

    def scores(self, histories: Behaviours, users: I64) -> F32:  # noqa: ARG002 - the same for every history
        return np.tile(self.people, (len(users), 1))
