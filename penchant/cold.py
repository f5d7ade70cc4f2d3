"""Strangers to a model: people and items that are kept out of training entirely, and how well it serves them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from penchant.behaviours import Behaviours
from penchant.ranking import relevant_summary
from penchant.rng import stream
from penchant.types import F32, I64, Bool

ScoreHistories = Callable[[Behaviours, I64], F32]
"""`scores(histories, people) -> float32[len(people), n_items]`: of anybody's histories, known before or not."""

_BLOCK = 512


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

    def people_after(self, score: ScoreHistories, shots: int, *, k: int = 10) -> dict[str, float]:
        """Serve the people who were kept out after their first `shots` events: all their later items are right.

        Candidates are all items that stay, less those of the first events. A person without later items is left out.
        """
        position = np.arange(self.people.n_events) - self.people.offsets[self.people.users]
        first = self.people.where(position < shots)
        later = self.people.where(position >= shots)
        kept_out = np.flatnonzero(self.cold_items)
        seen = [np.union1d(first.of(p).items, kept_out) for p in range(first.n_users)]
        return _examined(score, first, later, seen, k=k)

    def new_items(self, score: ScoreHistories, histories: Behaviours, *, k: int = 10) -> dict[str, float]:
        """Rank the items that were kept out, among themselves, for the warm people: those that they chose are right."""
        kept_in = np.flatnonzero(~self.cold_items)
        return _examined(score, histories, self.of_items, [kept_in] * histories.n_users, k=k)


def _examined(
    score: ScoreHistories, histories: Behaviours, later: Behaviours, seen: Sequence[I64], *, k: int
) -> dict[str, float]:
    """Means over people who have something to find."""
    sums: dict[str, float] = {}
    served = 0
    for people in _blocks(later):
        right = [np.setdiff1d(later.of(person).items, seen[person]) for person in people]
        figures = relevant_summary(score(histories, people), right, seen=[seen[p] for p in people], k=k)
        found = ~np.isnan(figures["ndcg"])
        served += int(found.sum())
        for name, values in figures.items():
            sums[f"{name}@{k}"] = sums.get(f"{name}@{k}", 0.0) + float(values[found].sum())
    return {name: total / served for name, total in sums.items()} | {"n": served} if served else {}


def _blocks(behaviours: Behaviours) -> Iterator[I64]:
    people = np.flatnonzero(behaviours.counts)
    for start in range(0, len(people), _BLOCK):
        yield people[start : start + _BLOCK]


def _drawn(size: int, share: float, seed: int, what: str) -> I64:
    count = round(size * share)
    return np.sort(stream(seed, "cold", what).choice(size, size=count, replace=False))
