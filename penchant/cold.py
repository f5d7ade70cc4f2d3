"""Strangers to a model: people and items that are kept out of training entirely, and how well it serves them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from penchant.behaviours import Behaviours
from penchant.ranking import relevant_summary
from penchant.rng import stream
from penchant.types import F32, I64, Bool

ScoreHistories = Callable[[Behaviours, I64], F32]
"""`scores(histories, people) -> float32[len(people), n_items]`: of anybody's histories, known before or not."""

_BLOCK = 512


@dataclass(frozen=True, eq=False)
class Strangers:
    """What is known of each person, and what they did later: all of it is right, whatever is known of it apart.

    known, later: of the same people.  closed: bool[n_items], items that are no candidates for anybody.
    """

    known: Behaviours
    later: Behaviours
    closed: Bool

    @classmethod
    def after(
        cls, people: Behaviours, shots: int, closed: Bool, *, target: Bool | None = None
    ) -> "Strangers":
        """People of whom the first `shots` events are known.

        target: bool[n_items], a domain: then its first `shots` events and all events elsewhere are known, and only its
        items are candidates.
        """
        counted = np.ones(people.n_events, np.bool_) if target is None else target[people.items]
        before = np.concatenate([[0], np.cumsum(counted)])
        later = counted & (before[:-1] - before[people.offsets[people.users]] >= shots)
        return cls(people.where(~later), people.where(later), closed if target is None else closed | ~target)

    def among(self, target: Bool | None) -> "Strangers":
        """The same, where only these items are candidates. target: bool[n_items], or None for all."""
        return self if target is None else Strangers(self.known, self.later, self.closed | ~target)

    @cached_property
    def asked(self) -> I64:
        """Who has something to find: int64[n]."""
        return np.array([person for person, items in enumerate(self.right) if len(items)], np.int64)

    @cached_property
    def seen(self) -> list[I64]:
        """What is no candidate, a person."""
        shut = np.flatnonzero(self.closed)
        return [np.union1d(self.known.of(person).items, shut) for person in range(self.known.n_users)]

    @cached_property
    def right(self) -> list[I64]:
        """What is to be found, a person."""
        later = (self.later.of(person).items for person in range(self.later.n_users))
        return [
            np.setdiff1d(items, seen).astype(np.int64) for items, seen in zip(later, self.seen, strict=True)
        ]

    def measure(self, score: ScoreHistories, *, k: int = 10) -> dict[str, float]:
        """Means over the people who have something to find, and `n`, how many they are; empty where nobody has."""
        sums: dict[str, float] = {}
        for people in self._blocks():
            figures = relevant_summary(
                score(self.known, people),
                [self.right[person] for person in people],
                seen=[self.seen[person] for person in people],
                k=k,
            )
            for name, values in figures.items():
                sums[f"{name}@{k}"] = sums.get(f"{name}@{k}", 0.0) + float(values.sum())
        return {name: total / len(self.asked) for name, total in sums.items()} | (
            {"n": len(self.asked)} if sums else {}
        )

    def _blocks(self) -> Iterator[I64]:
        for start in range(0, len(self.asked), _BLOCK):
            yield self.asked[start : start + _BLOCK]


@dataclass(frozen=True, eq=False)
class ColdStart:
    """A data set parted before any training.

    warm: what may be learned from: people who stay, without the items that are kept out.
    people: everything that the people who are kept out did, on items that stay.
    of_items: what the warm people did with the items that are kept out, in the order of `warm.user_ids`.
    cold_items: bool[n_items].
    """

    warm: Behaviours
    people: Behaviours
    of_items: Behaviours
    cold_items: Bool

    @classmethod
    def part(
        cls, behaviours: Behaviours, *, n_items: int, people: float, items: float, seed: int
    ) -> "ColdStart":
        """Keep out a share of people and of items, drawn evenly: a function of the seed and the sizes."""
        left_out = _drawn(behaviours.n_users, people, seed, "people")
        cold_items = np.zeros(n_items, np.bool_)
        cold_items[_drawn(n_items, items, seed, "items")] = True
        staying = np.setdiff1d(np.arange(behaviours.n_users), left_out)
        new = cold_items[behaviours.items]
        old = behaviours.where(~new)
        return cls(
            old.of_people(staying),
            old.of_people(left_out),
            behaviours.where(new).of_people(staying),
            cold_items,
        )

    def reveal(self, people: Behaviours, shots: int, *, target: Bool | None = None) -> Strangers:
        """Any people after their first `shots` events (see `Strangers.after`); candidates are all items that stay."""
        return Strangers.after(people, shots, self.cold_items, target=target)

    def new_items(self, histories: Behaviours) -> Strangers:
        """The items that were kept out, ranked among themselves for the warm people by their histories."""
        return Strangers(histories, self.of_items, ~self.cold_items)


def _drawn(size: int, share: float, seed: int, what: str) -> I64:
    count = round(size * share)
    return np.sort(stream(seed, "cold", what).choice(size, size=count, replace=False))
