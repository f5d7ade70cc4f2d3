"""From noisy counts to each item's company: what texts let expect, corrected by what was counted.

It reads released counts and the public catalogue alone, so it costs no privacy.

1. Likings alone: were everybody's taste the same, a pair's expected count would be the product of both items' likings.
2. Texts: the *lift*, how much more often than that pairs of alike texts occur, is read off the counts themselves, by
   steps of similarity and rising with it. It holds for items that nobody has touched as well.
3. Counts: a pair's own count moves the expectation by v / (v + s²), with s the noise that was added to it and v the
   square of `trust` times the expectation: well-known pairs by almost all, seldom ones by almost nothing.
"""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import isotonic_regression

from penchant.config import CompanySettings
from penchant.interest.company import Company
from penchant.interest.counting import Chosen, Counts
from penchant.types import F32, F64, I64, Bool

_STEPS = 60
_FINEST = 1e-4
"""The share of all pairs that the highest step of similarity holds."""
_LEAST_LIFT = 0.02
_ROWS = 512


def company_of(
    counts: Counts, vectors: F32, settings: CompanySettings, *, offered: Bool | None = None
) -> Company:
    """vectors: float32[n_items, width], what the language model reads in each item.

    offered: bool[n_items], whether an item was there to be met while counting; one that was not is taken to be liked
    like the median of the others. None: all were.
    """
    chosen = Chosen.of(counts.items, settings, floor=counts.floor)
    observed = _square(counts.pairs, chosen)
    liked = counts.liked
    if offered is not None:
        liked = np.where(offered, liked, np.median(liked[offered]))
    mass = liked / liked[chosen.items].sum() * observed.sum()
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    lift = _lift(observed, mass, directions, chosen)
    typical = float(np.median(mass))
    source, target = (mass / typical) ** settings.source_power, (mass / typical) ** settings.target_power
    noise = _undamped(np.full((len(chosen.items),) * 2, counts.pair_noise), chosen)
    new = np.flatnonzero(np.zeros(len(mass), np.bool_) if offered is None else ~offered)
    neighbours, weights, alike = [], [], []
    for rows in _blocks(len(mass)):
        expected = np.outer(mass[rows], mass / mass[chosen.items].sum()) * lift(
            directions[rows] @ directions.T
        )
        _correct(expected, rows, observed, noise, chosen, settings.trust)
        expected[np.arange(len(rows)), rows] = 0
        block = (expected / np.outer(source[rows], target)).astype(np.float32)
        alike.append(block[:, new].copy())
        block[:, new] = 0
        best = np.argpartition(-block, min(settings.neighbours, block.shape[1]) - 1, axis=1)
        best = np.sort(best[:, : settings.neighbours], axis=1)
        neighbours.append(best.astype(np.int32))
        weights.append(np.take_along_axis(block, best, axis=1))
    prior = (mass / source).mean() * mass / mass[chosen.items].sum() / target
    return Company(
        np.concatenate(neighbours),
        np.concatenate(weights),
        prior.astype(np.float32),
        new.astype(np.int32),
        np.concatenate(alike),
        settings.memory,
        settings.text_memory,
        settings.prior_events,
    )


def _square(pairs: F64, chosen: Chosen) -> F64:
    """float64[m, m], symmetric, without the damping, zero on the diagonal."""
    m = len(chosen.items)
    square = np.zeros((m, m))
    square[np.triu_indices(m, 1)] = pairs
    return _undamped(square + square.T, chosen)


def _undamped(square: F64, chosen: Chosen) -> F64:
    return square / np.outer(chosen.damping, chosen.damping).astype(np.float64)


class _Lift:
    """A rising step function of similarity, linear between the steps' means."""

    def __init__(self, similarity: F64, lift: F64) -> None:
        self._similarity, self._lift = similarity, lift

    def __call__(self, similarity: F32) -> F64:
        found: F64 = np.interp(similarity, self._similarity, self._lift)
        return found


def _lift(observed: F64, mass: F64, directions: F32, chosen: Chosen) -> _Lift:
    pairs = np.triu_indices(len(chosen.items), 1)
    similarity = (directions[chosen.items] @ directions[chosen.items].T)[pairs].astype(np.float64)
    own = mass[chosen.items]
    expected = np.outer(own, own / own.sum())[pairs]
    edges = np.unique(np.quantile(similarity, 1 - np.geomspace(_FINEST, 1, _STEPS)))
    step = np.searchsorted(edges, similarity)
    size = len(edges) + 1
    counted, expectation = np.bincount(step, observed[pairs], size), np.bincount(step, expected, size)
    filled = expectation > 0
    middle = np.bincount(step, similarity, size)[filled] / np.bincount(step, minlength=size)[filled]
    raw = counted[filled] / expectation[filled]
    rising = isotonic_regression(raw, weights=expectation[filled]).x
    return _Lift(middle, np.maximum(rising, _LEAST_LIFT))


def _correct(expected: F64, rows: I64, observed: F64, noise: F64, chosen: Chosen, trust: float) -> None:
    """Move the expectations of counted pairs towards their counts, in place."""
    among = np.flatnonzero(chosen.place[rows] >= 0)
    if len(among) == 0:
        return
    places = chosen.place[rows[among]]
    where = np.ix_(among, chosen.items)
    guess = expected[where]
    variance = (trust * guess) ** 2
    moved = guess + (observed[places] - guess) * variance / (variance + noise[places] ** 2 + 1e-12)
    expected[where] = np.maximum(moved, 0)


def _blocks(n: int) -> Iterator[I64]:
    for start in range(0, n, _ROWS):
        yield np.arange(start, min(start + _ROWS, n))
