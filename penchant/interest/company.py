"""What keeps company with what: each item's neighbours, and how much everybody likes each item.

    score(item) = sum over the history of fade(event) * company(event's item, item) + prior(item) * weight / events

It serves anybody with a history of any length, without training, and each event's part in a score is its own reason.
NumPy alone: a device needs no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Self

import numpy as np
import numpy.typing as npt

from penchant.config import CompanySettings
from penchant.types import F32, I32

_FORGOTTEN = 14
"""Half-lives after which an event no longer matters."""


@dataclass(frozen=True, eq=False)
class Company:
    """neighbours: int32[n_items, k].  weights: float32[n_items, k], at least 0.  prior: float32[n_items], at least 0.

    new: int32[n_new], items that nobody could meet while counting: no neighbours of any other.
    alike: float32[n_items, n_new], what each item says for them by its text.
    memory: half-life of the history, in events; for new items `text_memory`, with as much weight in all.
    prior_events: weight of the prior, in events of one's own.
    """

    neighbours: I32
    weights: F32
    prior: F32
    new: I32
    alike: F32
    memory: float
    text_memory: float
    prior_events: float

    @property
    def n_items(self) -> int:
        return len(self.prior)

    def scores(self, histories: Sequence[I32]) -> F32:
        """float32[n_people, n_items], at least 0. histories: int32[n_events] each, in order of time; may be empty."""
        return np.stack([self._scores(history) for history in histories])

    def fading(self, history: I32, half_life: float) -> tuple[I32, F32]:
        """The events that still matter, latest first, and how much each does: from 1 down."""
        latest = history[::-1][: ceil(_FORGOTTEN * half_life)]
        return latest, (0.5 ** (np.arange(len(latest)) / half_life)).astype(np.float32)

    def reasons(self, history: I32, item: int) -> F32:
        """What each event added to the item's score: float32[n_events], in order of time; the rest is the prior's."""
        added = np.zeros(len(history), np.float32)
        if item in self.new:
            latest, fade = self._long(history)
            parts = self.alike[latest, int(np.flatnonzero(self.new == item)[0])] * fade
        else:
            latest, fade = self.fading(history, self.memory)
            parts = (self.weights[latest] * (self.neighbours[latest] == item)).sum(1) * fade
        added[len(history) - len(latest) :] = parts[::-1]
        return added

    def prior_weight(self, n_events: int) -> float:
        return self.prior_events / max(1, n_events)

    def _scores(self, history: I32) -> F32:
        prior = np.float32(self.prior_weight(len(history))) * self.prior if len(history) else self.prior
        latest, fade = self.fading(history, self.memory)
        parts = (self.weights[latest] * fade[:, None]).ravel()
        summed = np.bincount(self.neighbours[latest].ravel(), parts, self.n_items)
        if len(self.new) and len(history):
            latest, fade = self._long(history)
            summed[self.new] = fade @ self.alike[latest]
        return (summed + prior).astype(np.float32)

    def _long(self, history: I32) -> tuple[I32, F32]:
        """The history as new items are held against it, with as much weight in all as others find."""
        _, short = self.fading(history, self.memory)
        latest, fade = self.fading(history, self.text_memory)
        return latest, fade * np.float32(short.sum() / max(float(fade.sum()), 1e-12))

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """As it is stored and handed out."""
        return {
            "neighbours": self.neighbours,
            "weights": self.weights,
            "prior": self.prior,
            "new": self.new,
            "alike": self.alike,
        }

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[np.generic]], settings: CompanySettings) -> Self:
        """The inverse of `tensors`."""
        return cls(
            np.asarray(tensors["neighbours"], np.int32),
            np.asarray(tensors["weights"], np.float32),
            np.asarray(tensors["prior"], np.float32),
            np.asarray(tensors["new"], np.int32),
            np.asarray(tensors["alike"], np.float32),
            settings.memory,
            settings.text_memory,
            settings.prior_events,
        )
