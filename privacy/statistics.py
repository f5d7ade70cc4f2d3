"""Figures about people, released once: bounded per person, summed, noised and charged; small groups withheld.

Unit `user`: a person adds to one cell for everybody and to one cell for each attribute: 1 to the cell's count, and a
value from 0 to 1 to each of its sums. With a attributes and k figures the L2 norm is at most
sqrt((1 + a) * (1 + k)), and one person more or less moves the sum by no more. No sampling: everybody is asked.
Unit `event`: blanking one interaction may change a person's values and even their groups. Vectors without negative
entries of norm at most B lie at most sqrt(2) * B apart, and the noise is raised by that.
The cells must be public beforehand: a list of groups that was read off the data would itself tell who is there.
Source: Dwork and Roth 2014, section 3.3 (bounded sums) and Appendix A (the Gaussian mechanism).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from penchant.errors import BadInput
from penchant.privacy.calibrate import gaussian_loss_for
from penchant.privacy.clip import ClippedSum, clip
from penchant.privacy.events import GaussianSum
from penchant.privacy.mechanism import release
from penchant.privacy.noise import NoiseSource
from penchant.types import F32, F64, Bool, Unit

EVERYBODY: Final = ("everybody", "all")
"""Attribute and group of the cell that holds everyone."""

SMALLEST: Final = 20
"""A group that seems to hold fewer people is withheld; so is one that the noise alone could have made."""

_DEVIATIONS: Final = 2.0


@dataclass(frozen=True, slots=True)
class ReleasedGroup:
    """What may be said about one group.

    count, values: noised.  count_std: standard deviation of the noise in the count.  values: figure -> mean, 0 to 1.
    value_std: of the noise in a mean, at most.  withheld: too small, so that nothing but this is said.
    """

    attribute: str
    group: str
    withheld: bool
    count: float | None
    count_std: float
    values: dict[str, float] | None
    value_std: float | None


def metrics_event(unit: Unit, *, epsilon: float, delta: float, share: float) -> GaussianSum:
    """The one release that costs `share` of the squared loss that (epsilon, delta) allows; updates get the rest."""
    if not 0 < share < 1:
        raise BadInput(f"privacy.metrics_share {share}: must lie between 0 and 1")
    return GaussianSum(1 / (gaussian_loss_for(epsilon, delta=delta) * sqrt(share)), unit)


def release_groups(
    values: Mapping[str, F64],
    labels: Mapping[str, Sequence[str]],
    vocabulary: Mapping[str, Sequence[str]],
    *,
    event: GaussianSum,
    noise: NoiseSource,
) -> list[ReleasedGroup]:
    """Noised means by group, everybody first.

    values: figure -> float64[n], 0 to 1, NaN for a person who has none: they add nothing.
    labels: attribute -> group of each person.  vocabulary: attribute -> all groups that there could be; whoever is in
    another one adds nothing there.
    """
    cells = [EVERYBODY, *((name, group) for name in vocabulary for group in vocabulary[name])]
    figures = list(values)
    rows = _contributions(values, labels, cells)
    bound = sqrt((1 + len(vocabulary)) * (1 + len(figures)))
    apart = sqrt(2) if event.unit is Unit.EVENT else 1.0
    total = ClippedSum.empty(rows.shape[1], bound=bound).plus(clip(rows, bound=bound))
    noised = release(total, noise_multiplier=event.noise_multiplier * apart, noise=noise)
    std = event.noise_multiplier * apart * bound
    sums = noised.reshape(len(cells), 1 + len(figures))
    return [_group(cell, row, figures, std) for cell, row in zip(cells, sums, strict=True)]


def _contributions(
    values: Mapping[str, F64], labels: Mapping[str, Sequence[str]], cells: Sequence[tuple[str, str]]
) -> F32:
    """One row a person: for each cell, whether they are in it, and their values where they are."""
    figures: F64 = np.column_stack(list(values.values()))
    found: Bool = np.asarray(np.isfinite(figures).all(axis=1), dtype=np.bool_)
    if np.any((figures[found] < 0) | (figures[found] > 1)):
        raise BadInput("a figure to be released lies outside 0 to 1: what one person adds would be unbounded")
    told: F64 = np.column_stack([found, np.where(found[:, None], figures, 0.0)])
    inside: F64 = np.ones((len(told), len(cells)))
    for column, (attribute, group) in enumerate(cells):
        if (attribute, group) != EVERYBODY:
            inside[:, column] = np.array([label == group for label in labels[attribute]])
    rows: F64 = (inside[:, :, None] * told[:, None, :]).reshape(len(told), -1)
    return rows.astype(np.float32)


def _group(cell: tuple[str, str], row: F64, figures: Sequence[str], std: float) -> ReleasedGroup:
    count = float(row[0])
    if count < max(SMALLEST, _DEVIATIONS * std):
        return ReleasedGroup(*cell, True, None, std, None, None)
    means = {name: float(np.clip(total / count, 0, 1)) for name, total in zip(figures, row[1:], strict=True)}
    return ReleasedGroup(*cell, False, count, std, means, std * sqrt(2) / count)
