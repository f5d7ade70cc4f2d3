"""Popularity: over all time, or at the time of asking."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from penchant.baselines._matrix import had
from penchant.baselines._settings import Positive
from penchant.behaviours import Behaviours
from penchant.types import F32, I64

_DAY: Final = 86_400


@dataclass(frozen=True)
class Popularity:
    """Items by the number of people who had them in training."""

    def fit(self, train: Behaviours, vectors: F32) -> "PopularityScorer":
        return PopularityScorer(np.asarray(had(train, len(vectors)).sum(axis=0), np.float32))


@dataclass(frozen=True, eq=False)
class PopularityScorer:
    """people: float32[n_items], how many people had each item."""

    people: F32

    def scores(self, histories: Behaviours, users: I64) -> F32:  # noqa: ARG002 - the same for every history
        return np.tile(self.people, (len(users), 1))


@dataclass(frozen=True)
class RecentPopularity:
    """Items by their events up to the day of a person's own latest event, older days counting less.

    half_life: days after which an event counts half.
    Source: Ji, Sun, Zhang and Li 2020, "A re-visit of the popularity baseline in recommender systems",
    arXiv:2005.13829 (DecayPop).
    """

    half_life: Positive = 30.0

    def fit(self, train: Behaviours, vectors: F32) -> "RecentPopularityScorer":
        day = train.at // _DAY
        days, index = np.unique(day, return_inverse=True)
        events = np.zeros((len(days), len(vectors)), np.float32)
        np.add.at(events, (index, train.items), 1)
        for later in range(1, len(days)):
            events[later] += events[later - 1] * 0.5 ** ((days[later] - days[later - 1]) / self.half_life)
        return RecentPopularityScorer(days, events)


@dataclass(frozen=True, eq=False)
class RecentPopularityScorer:
    """days: int64[n_days] with events, in order.  events: float32[n_days, n_items], decayed counts up to each."""

    days: I64
    events: F32

    def scores(self, histories: Behaviours, users: I64) -> F32:
        """A person without a history is asked for on the last day."""
        latest = np.where(histories.counts[users] > 0, histories.offsets[users + 1] - 1, -1)
        asked = np.append(histories.at // _DAY, self.days[-1])[latest]
        return self.events[np.maximum(np.searchsorted(self.days, asked, side="right") - 1, 0)]
