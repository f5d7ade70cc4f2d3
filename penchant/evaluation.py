"""Evaluate anything that scores items, on the split that everybody shares.

At validation and at test alike, a person's history is the training events, and the candidates are all items but the
training items: neither held-out item helps to find the other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

import numpy as np

from penchant.behaviours import Behaviours, Split
from penchant.ranking import (
    draw_negatives,
    sampled_ranks,
    sampled_top_items,
    summary,
    target_ranks,
    top_items,
)
from penchant.rng import stream
from penchant.types import F32, I32, I64, NO_ITEM, Bool

Scores = Callable[[I64], F32]
"""`scores(users) -> float32[len(users), n_items]`, finite; called with blocks of people in order."""

_BLOCK: Final = 512


class Part(StrEnum):
    """Which held-out item is to be found."""

    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True)
class Evaluation:
    """How one model did. Ranks are per person: 1-based, 0 where there is nothing to find."""

    ranks: I64
    ranks_sampled: I64
    full: dict[str, float]
    sampled99: dict[str, float]

    def record(self) -> dict[str, dict[str, float]]:
        """Means alone, under the keys that run directories and reports use."""
        return {"full": self.full, "sampled99": self.sampled99}


@dataclass(frozen=True)
class Examination:
    """One task, set once and put to each model: the same people, candidates and sampled negatives for all."""

    split: Split
    n_items: int
    part: Part = Part.TEST
    k: int = 10
    seed: int = 0
    among: Bool | None = None
    """bool[n_items], the items that are asked for and are candidates; None: all."""

    @cached_property
    def targets(self) -> I32:
        """int32[n_users]: the item to find, NO_ITEM where there is none."""
        held_out = self.split.test if self.part is Part.TEST else self.split.validation
        if self.among is None:
            return held_out
        return np.where(self.among[held_out] & (held_out != NO_ITEM), held_out, NO_ITEM).astype(np.int32)

    @cached_property
    def popularity(self) -> I64:
        """int64[n_items]: training events per item."""
        return np.bincount(self.split.train.items, minlength=self.n_items)

    @cached_property
    def negatives(self) -> I32:
        """int32[n_users, 99], not the same for validation and for test."""
        held_out = np.column_stack([self.split.validation, self.split.test])
        touched = [np.append(items, held_out[user]) for user, items in enumerate(self.seen(self._everybody))]
        return draw_negatives(touched, self.n_items, rng=stream(self.seed, "negatives", self.part))

    def seen(self, users: I64) -> list[I32]:
        """What is no candidate for each of these people: the training items, and all that are not asked for."""
        items = [_items(self.split.train, user) for user in users]
        if self.among is None:
            return items
        others = np.flatnonzero(~self.among).astype(np.int32)
        return [np.union1d(own, others) for own in items]

    def ranks(self, scores: Scores) -> I64:
        """int64[n_users]: full-ranking ranks alone; what a round of training is watched by."""
        parts = [target_ranks(s, self.targets[u], seen=self.seen(u)) for u, s in self._blocks(scores)]
        return np.concatenate(parts)

    def evaluate(self, scores: Scores) -> Evaluation:
        """Rank, full and sampled. Holds one block of scores at a time (512 people)."""
        full, sampled = [], []
        for users, block in self._blocks(scores):
            targets, negatives, seen = self.targets[users], self.negatives[users], self.seen(users)
            full.append((target_ranks(block, targets, seen=seen), top_items(block, self.k, seen=seen)))
            sampled.append(
                (
                    sampled_ranks(block, targets, negatives),
                    sampled_top_items(block, targets, negatives, self.k),
                )
            )
        ranks, top = (np.concatenate(column) for column in zip(*full, strict=True))
        ranks_sampled, top_sampled = (np.concatenate(column) for column in zip(*sampled, strict=True))
        return Evaluation(
            ranks, ranks_sampled, self._summary(ranks, top), self._summary(ranks_sampled, top_sampled)
        )

    def _summary(self, ranks: I64, top: I32) -> dict[str, float]:
        return summary(ranks, top, popularity=self.popularity, n_users=self.split.train.n_users, k=self.k)

    @property
    def _everybody(self) -> I64:
        return np.arange(self.split.train.n_users)

    def _blocks(self, scores: Scores) -> Iterator[tuple[I64, F32]]:
        for start in range(0, self.split.train.n_users, _BLOCK):
            users = self._everybody[start : start + _BLOCK]
            yield users, scores(users)


def _items(behaviours: Behaviours, user: int) -> I32:
    return behaviours.items[behaviours.offsets[user] : behaviours.offsets[user + 1]]
