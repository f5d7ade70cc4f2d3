"""What keeps company with what: each item's neighbours, and how much everybody likes each item.

    score(item) = liked(item)^(1 - target_power) * (1 + weight * apart(item))
    apart(item) = sum over the history of share(event) * excess(event, item)

*Excess* is how much more often than by chance an item stands near another, or follows it where order was counted; 0
where both keep no company. The gate gives the weight, by how many events are known; without events the score is what
everybody likes. It serves anybody with a history of any length, without training, and each event's part in a score is
its own reason. NumPy alone: a device needs no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from penchant.config import CompanySettings
from penchant.interest.gate import Gate, Way
from penchant.types import F32, I32, Bool

FORGOTTEN: Final = 14
"""Half-lives after which an event no longer matters."""

LEAST: Final = 0.02
"""What shunned company leaves of an item's score: a count can never tell that something is impossible."""


@dataclass(frozen=True, eq=False)
class Company:
    """neighbours: int32[n_items, k].  excess: float32[n_items, k], at least -1, of the item for each neighbour.

    liked: float32[n_items], above 0, how much everybody likes each; the typical item 1.
    new: int32[n_new], items that nobody could meet while counting: no neighbours of any other.
    alike: float32[n_items, n_new], the excess of each item for them by their texts.
    target: int32[n], the items of the domain that is asked for: the gate counts events with these; empty: all.
    text_memory: half-life of the history as new items are held against it, in events.
    source_power, target_power: as in the settings.
    """

    neighbours: I32
    excess: F32
    liked: F32
    new: I32
    alike: F32
    target: I32
    gate: Gate
    text_memory: float
    source_power: float
    target_power: float

    @property
    def n_items(self) -> int:
        return len(self.liked)

    def scores(self, histories: Sequence[I32]) -> F32:
        """float32[n_people, n_items], above 0. histories: int32[n_events] each, in order of time; may be empty."""
        return np.stack([self._scores(history) for history in histories])

    def blended(self, apart: F32, weight: float) -> F32:
        """Scores under any weight of what a history says beyond chance, float32[n_items] both."""
        return np.asarray(
            self.base * np.maximum(1 + np.float32(weight) * apart, np.float32(LEAST)), np.float32
        )

    @cached_property
    def base(self) -> F32:
        """What everybody's liking gives an item: float32[n_items]."""
        return np.asarray(self.liked ** np.float32(1 - self.target_power), np.float32)

    def gathered(self, latest: I32, parts: F32) -> F32:
        """float32[n_items]: what events give their neighbours, summed. parts: float32[n_events, k]."""
        summed = np.bincount(self.neighbours[latest].ravel(), parts.ravel(), self.n_items)
        return summed.astype(np.float32)

    @cached_property
    def tells(self) -> Bool:
        """bool[n_items], whether the gate counts events with an item."""
        told = np.full(self.n_items, not len(self.target))
        told[self.target] = True
        return told

    def way(self, history: I32) -> Way:
        """What the gate gives for a history. A curve counts all events, for it knows of no domain."""
        return self.gate.at(int(self.tells[history].sum()) if len(self.gate.learned) else len(history))

    def _scores(self, history: I32) -> F32:
        way = self.way(history)
        if way.weight == 0:
            return self.base
        latest, shares = self.shares(history, way.memory)
        apart = self.gathered(latest, self.excess[latest] * shares[:, None])
        if len(self.new):
            latest, shares = self.shares(history, self.text_memory)
            apart[self.new] = shares @ self.alike[latest]
        return self.blended(apart, way.weight)

    def shares(self, history: I32, memory: float) -> tuple[I32, F32]:
        """The events that still matter, latest first, and how much each does: together 1."""
        latest = history[::-1][: ceil(FORGOTTEN * memory)]
        fade = 0.5 ** (np.arange(len(latest)) / memory) * self.liked[latest] ** (1 - self.source_power)
        return latest, (fade / max(fade.sum(), 1e-12)).astype(np.float32)

    def reasons(self, history: I32, item: int) -> F32:
        """What each event added to the item's score: float32[n_events], in order of time; the rest is everybody's.

        Where events speak against an item so much that the score stands at its floor, they add up to less than that.
        """
        added = np.zeros(len(history), np.float32)
        if not len(history):
            return added
        way = self.way(history)
        if item in self.new:
            latest, shares = self.shares(history, self.text_memory)
            parts = self.alike[latest, int(np.flatnonzero(self.new == item)[0])] * shares
        else:
            latest, shares = self.shares(history, way.memory)
            parts = (self.excess[latest] * (self.neighbours[latest] == item)).sum(1) * shares
        added[len(history) - len(latest) :] = parts[::-1] * np.float32(way.weight) * self.base[item]
        return added

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """As it is stored and handed out."""
        return {
            "neighbours": self.neighbours,
            "excess": self.excess,
            "liked": self.liked,
            "new": self.new,
            "alike": self.alike,
            "target": self.target,
            "gate": self.gate.learned,
        }

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[np.generic]], settings: CompanySettings) -> Self:
        """The inverse of `tensors`."""
        return cls(
            np.asarray(tensors["neighbours"], np.int32),
            np.asarray(tensors["excess"], np.float32),
            np.asarray(tensors["liked"], np.float32),
            np.asarray(tensors["new"], np.int32),
            np.asarray(tensors["alike"], np.float32),
            np.asarray(tensors["target"], np.int32),
            Gate.of(settings, np.asarray(tensors["gate"], np.float32)),
            settings.text_memory,
            settings.source_power,
            settings.target_power,
        )
