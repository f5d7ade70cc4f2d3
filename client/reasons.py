"""Why an item is on a list: the parts of its score, against those of a usual item. Nothing is made up afterwards."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from penchant.score import Scorer
from penchant.types import F32, I32

EVERYONE: Final = "liked by many"
TASTE: Final = "fits your taste as this device has learned it"
_USUAL: Final = 256
_SHOWN: Final = 3
_LEAST: Final = 0.005


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a score. share: of all that speaks for the item, in (0, 1].

    event: which event of the history it is, counted from the oldest; None for `EVERYONE` and `TASTE`.
    """

    what: str
    share: float
    event: int | None = None


def reasons(scorer: Scorer, history: I32, items: I32, *, adapter: F32 | None) -> list[tuple[Reason, ...]]:
    """For each of `items` (int32[n]) what speaks for it, the strongest first; at most three parts, each at least 0.5%.

    A score means something only beside other scores: a part counts by how much it exceeds its mean over a usual item,
    the catalogue or 256 items spread evenly over it. Events on one item count together, as the latest of them.
    """
    usual = np.unique(np.linspace(0, len(scorer.items) - 1, _USUAL).astype(np.int32))
    parts = scorer.parts(history, np.concatenate([items, usual]).astype(np.int32), adapter=adapter)
    stacked = np.vstack([parts.events, parts.everyone, parts.taste])
    excess = stacked[:, : len(items)] - stacked[:, len(items) :].mean(axis=1, keepdims=True)
    latest = history[-scorer.max_history :]
    offset = len(history) - len(latest)
    return [_strongest(column, latest, offset) for column in excess.T]


def _strongest(excess: F32, latest: I32, offset: int) -> tuple[Reason, ...]:
    summed: dict[tuple[str, int | None], float] = {
        (EVERYONE, None): float(excess[-2]),
        (TASTE, None): float(excess[-1]),
    }
    last_of = {int(item): place for place, item in enumerate(latest)}
    for place, item in enumerate(latest):
        about = ("event", offset + last_of[int(item)])
        summed[about] = summed.get(about, 0.0) + float(excess[place])
    speaking = {about: value for about, value in summed.items() if value > 0}
    total = sum(speaking.values())
    ordered = sorted(((value / total, about) for about, value in speaking.items()), key=lambda one: -one[0])
    return tuple(Reason(what, share, event) for share, (what, event) in ordered[:_SHOWN] if share >= _LEAST)
