"""What one person adds to counts of items and of pairs of items: bounded by its own arithmetic, in closed form.

    unit user or none   every person's contribution is a vector of L2 norm 1 at most, however long the history
    unit event          an item counts 1 and a pair at most once, by its nearest occurrence, so that blanking one event
                        moves the item counts by at most 1 and the pair counts by at most `pair_bound`

Positions are those of the whole history, so that a blanked event moves nothing else.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple, Self

import numpy as np

from penchant.config import CompanySettings
from penchant.types import F32, F64, I32, I64, Unit

ITEM_BOUND: Final = 1.0
"""The L2 norm by which one protected unit, person or event, moves the item counts, at most."""


class Contribution(NamedTuple):
    """Sparse: cells: int64[n], distinct.  weights: float32[n], above 0."""

    cells: I64
    weights: F32


@dataclass(frozen=True, eq=False)
class Chosen:
    """The items whose pairs are counted, by what was released about how much each is liked.

    items: int32[m], ascending.  place: int64[n_items], an item's place among them, -1 elsewhere.
    damping: float32[m], from 0 to 1, how much an item weighs in its pairs.
    ordered: whether a pair tells which item came first.
    """

    items: I32
    place: I64
    damping: F32
    ordered: bool

    @classmethod
    def of(cls, popularity: F64, settings: CompanySettings, *, floor: float) -> Self:
        """popularity: float64[n_items], released, so noisy.  floor: the least that counts as more than noise."""
        n_items = len(popularity)
        items = np.sort(np.argsort(-popularity, kind="stable")[: settings.items]).astype(np.int32)
        place = np.full(n_items, -1, np.int64)
        place[items] = np.arange(len(items))
        liked = np.maximum(popularity[items], floor)
        damping = ((liked.min() / liked) ** settings.damping).astype(np.float32)
        return cls(items, place, damping, settings.ordered)

    @property
    def n_pairs(self) -> int:
        return n_pairs(len(self.items), ordered=self.ordered)

    def cell(self, first: I64, second: I64) -> I64:
        """The cell of each pair of places, not of an item with itself; either order is the same unless `ordered`."""
        m = len(self.items)
        if self.ordered:
            of_rows: I64 = first * (m - 1) + second - (second > first)
            return of_rows
        low, high = np.minimum(first, second), np.maximum(first, second)
        cells: I64 = low * m - low * (low + 1) // 2 + high - low - 1
        return cells

    def pairs(self, cells: I64) -> tuple[I64, I64]:
        """The items of each cell, the inverse of `cell`: int64[n] each, the first, or else the lower number, first."""
        m = len(self.items)
        if self.ordered:
            row, rest = np.divmod(cells, m - 1)
            return self.items[row].astype(np.int64), self.items[rest + (rest >= row)].astype(np.int64)
        starts = np.arange(m) * m - np.arange(m) * (np.arange(m) + 1) // 2
        low = np.searchsorted(starts, cells, side="right") - 1
        low -= low == m - 1  # the last row is empty, and starts where the one before ends
        high = cells - starts[low] + low + 1
        return self.items[low].astype(np.int64), self.items[high].astype(np.int64)


def n_pairs(m: int, *, ordered: bool) -> int:
    """Pairs of m items."""
    return m * (m - 1) // (1 if ordered else 2)


@dataclass(frozen=True, eq=False)
class Counts:
    """What was released.

    items: float64[n_items].  pairs: float64[n_pairs], as `Chosen.cell` numbers them.
    item_noise, pair_noise: standard deviation of the noise in each.
    """

    items: F64
    pairs: F64
    item_noise: float
    pair_noise: float

    @property
    def floor(self) -> float:
        """The least liking that counts as more than noise."""
        return 0.5 * self.item_noise + 0.02

    @property
    def liked(self) -> F64:
        return np.maximum(self.items, self.floor)


def item_counts(history: I32, settings: CompanySettings, unit: Unit) -> Contribution:
    """history: int32[n_events].  Cells are items; each item counts once."""
    items = np.unique(history).astype(np.int64)
    weight = 1.0 if unit is Unit.EVENT else 1 / sqrt(max(settings.typical_items, len(items)))
    return Contribution(items, np.full(len(items), weight, np.float32))


def pair_counts(history: I32, chosen: Chosen, settings: CompanySettings, unit: Unit) -> Contribution:
    """Cells as `Chosen.cell` numbers them. A pair weighs less the further its events lie apart."""
    places = chosen.place[history]
    cells, weights = [], []
    for distance in range(1, min(settings.window, len(history) - 1) + 1):
        first, second = places[:-distance], places[distance:]
        counted = (first >= 0) & (second >= 0) & (first != second)
        first, second = first[counted], second[counted]
        cells.append(chosen.cell(first, second))
        weights.append(
            0.5 ** (distance / settings.half_life) * chosen.damping[first] * chosen.damping[second]
        )
    if not cells or not sum(map(len, cells)):
        return Contribution(np.empty(0, np.int64), np.empty(0, np.float32))
    every, weight = np.concatenate(cells), np.concatenate(weights)
    if unit is Unit.EVENT:  # the nearest comes first, and alone counts
        distinct, nearest = np.unique(every, return_index=True)
        return Contribution(distinct, weight[nearest].astype(np.float32))
    distinct, which = np.unique(every, return_inverse=True)
    summed = np.bincount(which, weight)
    return Contribution(distinct, (summed / np.linalg.norm(summed)).astype(np.float32))


def pair_bound(settings: CompanySettings, unit: Unit) -> float:
    """The L2 norm by which one protected unit moves the pair counts, at most.

    Of one event: it stands in at most two pairs at each distance, once before and once after another, each in a cell of
    its own, and a cell falls by no more than the weight of the pair that leaves it.
    """
    if unit is not Unit.EVENT:
        return 1.0
    distances = np.arange(1, settings.window + 1)
    return sqrt(2 * float((0.25 ** (distances / settings.half_life)).sum()))
