"""Who is served how well: a metric by group, with intervals and a verdict that does not over-read small groups.

Point values come from fairlearn's `MetricFrame`. Its own bootstrap takes seconds a column and gives an interval of
max - min, which cannot reach 0; here people are drawn anew within each group, all groups and draws at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from fairlearn.metrics import MetricFrame

from penchant.types import F64, I64

SMALLEST_GROUP: Final = 20
"""Groups of fewer people are shown without a judgement."""

_RESAMPLES: Final = 1000
_LEVEL: Final = 0.95


class Verdict(StrEnum):
    """What a gap between groups allows to say."""

    GAP = "gap"
    INCONCLUSIVE = "inconclusive"
    TOO_SMALL = "too small"


@dataclass(frozen=True, slots=True)
class Group:
    """One group's mean. n: people with something to find. ci_low, ci_high: 95%, NaN where too_small."""

    attribute: str
    group: str
    n: int
    value: float
    ci_low: float
    ci_high: float
    too_small: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Best minus worst group of one attribute, among those that are large enough.

    ci_low, ci_high: 95% interval of the difference of these two groups.
    chance: how often groups of these sizes drawn by lot show as wide a gap (permutation test), which accounts for
    looking at the extremes of many groups.
    """

    attribute: str
    best: str
    worst: str
    value: float
    ci_low: float
    ci_high: float
    chance: float
    verdict: Verdict


def groups(values: F64, attribute: str, labels: Sequence[str], *, rng: np.random.Generator) -> list[Group]:
    """Each group's mean with a percentile bootstrap interval, in the order of names.

    values: float64[n_users], NaN where a person has nothing to find.  labels: the group of each person.
    """
    found, names = _found(values, labels)
    means = _means(found, names)
    return [
        _group(attribute, name, found[names == name], means[name], rng)
        for name in sorted(means, key=_natural)
    ]


def gap(values: F64, attribute: str, labels: Sequence[str], *, rng: np.random.Generator) -> Gap | None:
    """The gap between the best and the worst group that are large enough; None where there are not two."""
    found, names = _found(values, labels)
    large = [
        name for name, n in zip(*np.unique(names, return_counts=True), strict=True) if n >= SMALLEST_GROUP
    ]
    if len(large) < 2:
        return None
    kept = np.isin(names, large)
    found, names = found[kept], names[kept]
    means = _means(found, names)
    best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    drawn = _resampled_means(found[names == best], rng) - _resampled_means(found[names == worst], rng)
    low, high = _interval(drawn)
    width = means[best] - means[worst]
    chance = _chance(found, names, width, rng)
    verdict = Verdict.GAP if low > 0 and chance < 1 - _LEVEL else Verdict.INCONCLUSIVE
    return Gap(attribute, best, worst, width, low, high, chance, verdict)


def worst_decile(ranks: I64) -> npt.NDArray[np.bool_]:
    """bool[n_users]: the tenth of people whose right item stands lowest. ranks: 0 for nothing to find, never chosen."""
    order = np.argsort(-ranks, kind="stable")
    chosen = np.zeros(len(ranks), np.bool_)
    chosen[order[: int(np.ceil((ranks > 0).sum() / 10))]] = True
    return chosen


def _found(values: F64, labels: Sequence[str]) -> tuple[F64, npt.NDArray[np.str_]]:
    found = ~np.isnan(values)
    return values[found], np.asarray(labels, np.str_)[found]


def _means(values: F64, names: npt.NDArray[np.str_]) -> Mapping[str, float]:
    if len(values) == 0:
        return {}
    frame = MetricFrame(metrics=_mean, y_true=values, y_pred=values, sensitive_features=names)
    return {str(name): float(value) for name, value in frame.by_group.items()}


def _natural(name: str) -> tuple[bool, str]:
    """Order of names, but that "under 18" stands before "18-24"."""
    return not name.startswith("under "), name


def _mean(_: npt.NDArray[Any], values: npt.NDArray[Any]) -> float:
    return float(np.mean(values))


def _group(attribute: str, name: str, own: F64, mean: float, rng: np.random.Generator) -> Group:
    if len(own) < SMALLEST_GROUP:
        return Group(attribute, name, len(own), mean, np.nan, np.nan, too_small=True)
    low, high = _interval(_resampled_means(own, rng))
    return Group(attribute, name, len(own), mean, low, high, too_small=False)


def _resampled_means(own: F64, rng: np.random.Generator) -> F64:
    return np.asarray(own[rng.integers(0, len(own), (_RESAMPLES, len(own)))].mean(axis=1))


def _interval(drawn: F64) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def _chance(values: F64, names: npt.NDArray[np.str_], width: float, rng: np.random.Generator) -> float:
    _, codes, sizes = np.unique(names, return_inverse=True, return_counts=True)
    member = np.eye(len(sizes))[codes] / sizes
    shuffled = rng.permuted(np.tile(values, (_RESAMPLES, 1)), axis=1) @ member
    wide = np.ptp(shuffled, axis=1) >= width
    return float((1 + wide.sum()) / (1 + _RESAMPLES))
