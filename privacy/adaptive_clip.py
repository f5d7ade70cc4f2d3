"""A clip bound that follows a quantile of the updates' norms; what it learns about them is noised and charged.

A person's update, over its bound, and their vote, over its own, are one contribution: with noise z_u on the one and z_v
on the other, both scaled to noise of 1, it moves the pair by at most sqrt(1/z_u^2 + 1/z_v^2). So a round is one
Gaussian of multiplier z with 1/z^2 = 1/z_u^2 + 1/z_v^2, for the same sample of people, and is charged as that.
"""

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np

from penchant.errors import BadInput
from penchant.privacy.clip import ClippedSum, ClippedUpdates
from penchant.privacy.mechanism import release
from penchant.privacy.noise import NoiseSource
from penchant.types import F32

_HALF = 0.5
"""Votes are +1/2 and -1/2, so that one person moves their sum by 1/2 and not by 1."""


@dataclass(frozen=True, slots=True)
class QuantileClip:
    """How the bound follows the norms.

    quantile: share of updates that should lie within the bound.  learning_rate: of the bound's logarithm.
    noise_multiplier: of the votes: standard deviation of the noise on their sum over the 1/2 that one person moves it.
    Source: Andrew, Thakkar, McMahan and Ramaswamy 2021, arXiv:1905.03871, Algorithm 1 and Theorem 1.
    """

    quantile: float
    learning_rate: float
    noise_multiplier: float

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise BadInput(f"clip quantile {self.quantile}: must lie between 0 and 1")
        if not self.learning_rate > 0:
            raise BadInput(f"clip learning rate {self.learning_rate}: must be above 0")

    def left_of(self, noise_multiplier: float) -> float:
        """The update's own multiplier, where update and votes together cost what `noise_multiplier` says.

        Raises: BadInput where the votes alone cost as much.
        """
        left = noise_multiplier**-2 - self.noise_multiplier**-2
        if not left > 0:
            raise BadInput(
                f"noise multiplier {noise_multiplier:g}: the clip bound's votes alone cost as much"
            )
        return 1 / sqrt(left)

    def next_bound(self, bound: float, votes: ClippedSum, *, expected: int, noise: NoiseSource) -> float:
        """The next round's bound. expected: people expected to vote; whoever does not counts as half.

        Guarantee: reveals nothing of the votes but their noised sum.
        """
        released = release(votes, noise_multiplier=self.noise_multiplier, noise=noise)
        within = float(released[0]) / expected + _HALF
        return bound * exp(-self.learning_rate * (min(max(within, 0.0), 1.0) - self.quantile))


def no_votes() -> ClippedSum:
    """The sum that a round's votes are folded into."""
    return ClippedSum.empty(1, bound=_HALF)


def votes(updates: F32, *, bound: float) -> ClippedUpdates:
    """One vote a row: +1/2 where the unclipped update lies within the bound, -1/2 where it does not."""
    rows = np.atleast_2d(updates).astype(np.float64)
    within = np.linalg.norm(rows, axis=1) <= bound
    return ClippedUpdates(np.where(within, _HALF, -_HALF).astype(np.float32)[:, None], _HALF)


def votes_of(*, within: int, people: int) -> ClippedUpdates:
    """The same votes, counted already: `within` of `people` lie within the bound."""
    cast = [_HALF] * within + [-_HALF] * (people - within)
    return ClippedUpdates(np.array(cast, dtype=np.float32)[:, None], _HALF)


def shared_out(noise_multiplier: float, *, share: float) -> tuple[float, float]:
    """Multipliers for update and votes that together cost what one release at `noise_multiplier` would.

    share: of the squared loss, what the votes may spend; Gaussian losses add up in squares (see `accountants`).
    """
    if not 0 < share < 1:
        raise BadInput(f"share {share} of the budget for the clip bound: must lie between 0 and 1")
    return noise_multiplier / sqrt(1 - share), noise_multiplier / sqrt(share)
