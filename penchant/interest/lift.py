"""From noisy counts to each item's company: what texts let expect, corrected by what was counted.

It reads released counts and the public catalogue alone, so it costs no privacy.

1. Likings alone: were everybody's taste the same, a pair's expected count would be the product of both items' likings.
2. Texts: the *lift*, how much more often than that pairs of alike texts occur, is read off the counts themselves, by
   steps of similarity and rising with it. It holds for items that nobody has touched as well.
3. Counts: a pair's own count moves the expectation by v / (v + s²), with s the noise that was added to it and v the
   square of `trust` times the expectation: well-known pairs by almost all, seldom ones by almost nothing.
4. Order, where it was counted: a pair in one order corrects half of what is expected of both, likewise.
5. Tastes, where wished: what was concluded of counted pairs, condensed (see `tastes`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np

from penchant.config import CompanySettings
from penchant.interest.company import Company
from penchant.interest.counting import Chosen, Counts
from penchant.interest.gate import Gate
from penchant.interest.tastes import condensed
from penchant.types import F32, F64, I32, I64, Bool

_STEPS = 60
_FINEST = 1e-4
"""The share of all pairs that the highest step of similarity holds."""
_LEAST_LIFT = 0.02
_ROWS = 512
_UNKNOWN = 1e12
"""Noise in which a count drowns."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What released counts say of the catalogue.

    pull: float32[n_items, k], by how much each excess would rise with one more count of its pair, before rounding down;
    of pairs without order, and before they are condensed.
    """

    company: Company
    chosen: Chosen
    pull: F32


def company_of(
    counts: Counts,
    vectors: F32,
    settings: CompanySettings,
    *,
    offered: Bool | None = None,
    target: Bool | None = None,
) -> Company:
    """The company alone; see `read_counts`."""
    return read_counts(counts, vectors, settings, offered=offered, target=target).company


def read_counts(
    counts: Counts,
    vectors: F32,
    settings: CompanySettings,
    *,
    offered: Bool | None = None,
    target: Bool | None = None,
) -> Reading:
    """vectors: float32[n_items, width], what the language model reads in each item.

    offered: bool[n_items], whether an item was there to be met while counting; one that was not is taken to be liked
    like the median of the others. None: all were.
    target: bool[n_items], the domain that is asked for. None: all.
    """
    chosen = Chosen.of(counts.items, settings, floor=counts.floor)
    square = _square(counts.pairs, chosen)
    observed = square + square.T
    liked = counts.liked
    met = np.ones(len(liked), np.bool_) if offered is None else offered
    liked = np.where(met, liked, np.median(liked[met]))
    pair_noise = counts.pair_noise * (sqrt(2) if chosen.ordered else 1)
    noise = _undamped(np.full((len(chosen.items),) * 2, pair_noise), chosen)
    total = max(
        float(observed.sum()), float(np.sqrt(2 * (noise**2).sum())), 1e-9
    )  # noise alone may sum to less than 0
    mass = liked / liked[chosen.items].sum() * total
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    lift = _lift(observed, mass, directions, chosen.items[met[chosen.items]], chosen)
    noise[~met[chosen.items]] = noise[:, ~met[chosen.items]] = _UNKNOWN
    one_order = (
        (2 * square, sqrt(2) * noise) if chosen.ordered else None
    )  # doubled, as if it were of both orders
    new = np.flatnonzero(~met)
    relative = (liked / np.median(liked)).astype(np.float32)
    prominence = relative ** np.float32(1 - settings.target_power)

    def read(rows: I64) -> tuple[F32, F32]:
        """Excess and pull, float32[n_rows, n_items] each."""
        chance = np.maximum(np.outer(mass[rows], mass / mass[chosen.items].sum()), 1e-12)
        expected = chance * lift(directions[rows] @ directions.T)
        believed = _correct(expected, rows, observed, noise, chosen, settings.trust)
        if one_order is not None:
            _correct(expected, rows, *one_order, chosen, settings.trust)
        excess = (expected / chance - 1).astype(np.float32)
        excess[np.arange(len(rows)), rows] = 0
        return excess, (believed / chance).astype(np.float32)

    tastes = None
    if settings.tastes:
        among = [read(rows)[0][:, chosen.items] for rows in _blocks(chosen.items.astype(np.int64))]
        tastes = condensed(np.concatenate(among), liked[chosen.items], settings.tastes)
    columns: dict[str, list[F32]] = {"excess": [], "pull": [], "alike": []}
    neighbours = []
    for rows in _blocks(np.arange(len(mass))):
        excess, pull = read(rows)
        columns["alike"].append(excess[:, new].copy())
        if tastes is not None:
            counted = np.flatnonzero(chosen.place[rows] >= 0)
            excess[np.ix_(counted, chosen.items)] = tastes[chosen.place[rows[counted]]]
        excess[:, new] = 0
        k = min(settings.neighbours, excess.shape[1])
        best = np.sort(np.argpartition(-np.abs(excess) * prominence, k - 1, axis=1)[:, :k], axis=1)
        neighbours.append(best.astype(np.int32))
        columns["excess"].append(np.take_along_axis(excess, best, axis=1))
        columns["pull"].append(np.take_along_axis(pull, best, axis=1))
    stacked = {name: np.concatenate(parts) for name, parts in columns.items()}
    company = Company(
        np.concatenate(neighbours),
        stacked["excess"],
        relative,
        new.astype(np.int32),
        stacked["alike"],
        np.flatnonzero(target if target is not None else np.zeros(0)).astype(np.int32),
        Gate.of(settings),
        settings.text_memory,
        settings.source_power,
        settings.target_power,
    )
    return Reading(company, chosen, stacked["pull"])


def _square(pairs: F64, chosen: Chosen) -> F64:
    """float64[m, m], without the damping, zero on the diagonal: how often the column's item followed the row's.

    Without order a pair is told once, above the diagonal.
    """
    m = len(chosen.items)
    square = np.zeros((m, m))
    square[~np.eye(m, dtype=np.bool_) if chosen.ordered else np.triu_indices(m, 1)] = pairs
    return _undamped(square, chosen)


def _undamped(square: F64, chosen: Chosen) -> F64:
    return square / np.outer(chosen.damping, chosen.damping).astype(np.float64)


class _Lift:
    """A rising step function of similarity, linear between the steps' means."""

    def __init__(self, similarity: F64, lift: F64) -> None:
        self._similarity, self._lift = similarity, lift

    def __call__(self, similarity: F32) -> F64:
        found: F64 = np.interp(similarity, self._similarity, self._lift)
        return found


def _lift(observed: F64, mass: F64, directions: F32, met: I32, chosen: Chosen) -> _Lift:
    """met: int32[m], those chosen items that could be met: of the others a count of 0 says nothing."""
    pairs = np.triu_indices(len(met), 1)
    similarity = (directions[met] @ directions[met].T)[pairs].astype(np.float64)
    own = mass[met]
    expected = np.outer(own, own / mass[chosen.items].sum())[pairs]
    observed = observed[np.ix_(chosen.place[met], chosen.place[met])]
    edges = np.unique(np.quantile(similarity, 1 - np.geomspace(_FINEST, 1, _STEPS)))
    step = np.searchsorted(edges, similarity)
    size = len(edges) + 1
    counted, expectation = np.bincount(step, observed[pairs], size), np.bincount(step, expected, size)
    filled = expectation > 0
    middle = np.bincount(step, similarity, size)[filled] / np.bincount(step, minlength=size)[filled]
    raw = counted[filled] / expectation[filled]
    rising = _rising(raw, expectation[filled].astype(np.float64))
    return _Lift(middle, np.maximum(rising, _LEAST_LIFT))


def _rising(values: F64, weights: F64) -> F64:
    """The rising sequence that lies nearest in weighted squares, by its min-max formula: a device has no SciPy.

    Source: Robertson, Wright and Dykstra 1988, Order Restricted Statistical Inference, theorem 1.4.4.
    """
    sums = np.concatenate([[0.0], np.cumsum(values * weights)])
    sizes = np.concatenate([[0.0], np.cumsum(weights)])
    n = len(values)
    means = [(sums[first + 1 :] - sums[first]) / (sizes[first + 1 :] - sizes[first]) for first in range(n)]
    return np.array([max(means[first][at - first :].min() for first in range(at + 1)) for at in range(n)])


def _correct(expected: F64, rows: I64, observed: F64, noise: F64, chosen: Chosen, trust: float) -> F64:
    """Move the expectations of counted pairs towards their counts, in place.

    Returns: float64[n_rows, n_items], by how much each would move for one more count: 0 for pairs that are not counted.
    """
    believed = np.zeros_like(expected)
    among = np.flatnonzero(chosen.place[rows] >= 0)
    if len(among) == 0:
        return believed
    places = chosen.place[rows[among]]
    where = np.ix_(among, chosen.items)
    guess = expected[where]
    variance = (trust * guess) ** 2
    share = variance / (variance + noise[places] ** 2 + 1e-12)
    expected[where] = np.maximum(guess + (observed[places] - guess) * share, 0)
    believed[where] = share / np.outer(chosen.damping[places], chosen.damping)
    return believed


def _blocks(items: I64) -> Iterator[I64]:
    for start in range(0, len(items), _ROWS):
        yield items[start : start + _ROWS]
