"""Warm people put in the strangers' place: what the references of a cold start are tuned on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from penchant.baselines._fits import Fits
from penchant.baselines._hybrid import softmax_weights, standardised
from penchant.baselines._protocol import Baseline, Scorer
from penchant.behaviours import Behaviours
from penchant.cold import Strangers
from penchant.rng import stream
from penchant.types import F32, Bool

Reveal = Callable[[Behaviours, int], Strangers]
"""`reveal(people, shots)`: what of these people is known, and what is to be found."""

_ASKED: Final = 500
"""People enough to tell two settings apart; fewer warm people take the strangers' place in several folds."""

_SHARE: Final = 0.2


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """folds: the people who were asked, and the fits of all the others. Nobody is asked by a fit that knows them."""

    folds: tuple[tuple[Behaviours, Fits], ...]
    reveal: Reveal

    @classmethod
    def of(
        cls, train: Behaviours, vectors: F32, reveal: Reveal, *, inside: Bool | None = None, seed: int = 0
    ) -> "Rehearsal":
        """At most five folds of at most a fifth of the people each.

        train: the warm people's training events.  inside: bool[n_items], then from events with these alone.
        """
        order = stream(seed, "rehearsal").permutation(train.n_users)
        size = max(1, min(_ASKED, round(_SHARE * train.n_users)))
        count = min(-(-_ASKED // size), round(1 / _SHARE))
        parts = (np.sort(order[fold * size : (fold + 1) * size]) for fold in range(count))
        return cls(
            tuple(
                (
                    train.of_people(part),
                    Fits.of_events(
                        train.of_people(np.setdiff1d(np.arange(train.n_users), part)), vectors, inside
                    ),
                )
                for part in parts
                if len(part)
            ),
            reveal,
        )

    def best(self, grid: Sequence[Baseline], shots: int) -> Baseline:
        """The settings with the highest NDCG@10 after so many events, the earlier of equals."""
        return max(grid, key=lambda candidate: self.figure(candidate, shots)) if len(grid) > 1 else grid[0]

    def figure(self, candidate: Baseline, shots: int) -> float:
        """Mean NDCG@10 over all who were asked."""
        found = [strangers.measure(fits.of(candidate).scores) for strangers, fits in self._asked(shots)]
        people = sum(one.get("n", 0) for one in found)
        return sum(one["ndcg@10"] * one["n"] for one in found if one) / people if people else 0.0

    def stacked(self, parts: Sequence[Baseline], shots: int) -> F32:
        """Weights of the parts' standardised scores that make what people did later likeliest: float32[n_parts]."""
        found = [
            _cells(strangers, [fits.of(part) for part in parts]) for strangers, fits in self._asked(shots)
        ]
        features, right, seen = (np.concatenate(column) for column in zip(*found, strict=True))
        if not len(features):
            return np.full(len(parts), 1 / len(parts), np.float32)
        return softmax_weights(torch.from_numpy(features), torch.from_numpy(right), torch.from_numpy(seen))

    def _asked(self, shots: int) -> Iterator[tuple[Strangers, Fits]]:
        for people, fits in self.folds:
            yield self.reveal(people, shots), fits


def _cells(strangers: Strangers, parts: Sequence[Scorer]) -> tuple[F32, F32, Bool]:
    """Features [n, n_items, n_parts], the share of what was right [n, n_items], and what is no candidate."""
    people = strangers.asked
    scores = [standardised(part.scores(strangers.known, people)) for part in parts]
    right = np.zeros(scores[0].shape, np.float32)
    seen = np.zeros(scores[0].shape, np.bool_)
    for row, person in enumerate(people):
        right[row, strangers.right[person]] = 1 / len(strangers.right[person])
        seen[row, strangers.seen[person]] = True
    return np.stack(scores, axis=-1), right, seen
