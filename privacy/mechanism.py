"""The Gaussian mechanism on a grid: the one place where a private sum becomes a release."""

from math import floor, log2, sqrt
from typing import Final

import numpy as np

from penchant.errors import BadInput
from penchant.privacy.clip import ClippedSum
from penchant.privacy.noise import NoiseSource
from penchant.types import F64

_GRID_BITS: Final = 24
"""The grid's step is the noise's standard deviation over about 2^24."""
_FLOAT32_MARGIN: Final = 1 + 2.0**-10


def release(total: ClippedSum, *, noise_multiplier: float, noise: NoiseSource) -> F64:
    """Add Gaussian noise of standard deviation `noise_multiplier * total.bound` to a clipped sum.

    Returns: float64[n_params], whole multiples of one power of two that depends on the settings alone.
    Guarantees: the `GaussianSum(noise_multiplier)` event, also for a reader of the lowest bits: the sum is rounded to
    the grid first, so with integers x and real noise N the release is round(x + N), post-processing of the Gaussian
    mechanism. Rounding can add sqrt(n_params) grid steps to the sensitivity, and the noise is raised by that share;
    0.1% more covers contributions that were clipped and summed in float32.
    Not covered: the error of float64 log, sin and cos (relative 2^-52), and the cut tail (see `CryptographicNoise`).
    Sources: Dwork and Roth 2014, Appendix A; Mironov 2012 for the attack that the grid prevents.
    """
    grid = grid_step(noise_multiplier * total.bound)
    whole = np.rint(total.values / grid)
    if not np.isfinite(whole).all() or np.abs(whole).max(initial=0) >= 2.0**52:
        raise BadInput("the sum is too large for its noise: NaN, Inf, or an update that was never clipped")
    std = noise_multiplier * (total.bound * _FLOAT32_MARGIN + sqrt(whole.size) * grid)
    noised: F64 = whole + np.rint(noise.standard_normal(whole.size) * (std / grid))
    return noised * grid


def grid_step(std: float) -> float:
    """The largest power of two at most `std` * 2^-24. Raises: BadInput for a std that is not above 0."""
    if not (np.isfinite(std) and std > 0):
        raise BadInput(f"noise of standard deviation {std} protects nobody: it must be above 0")
    return 2.0 ** (floor(log2(std)) - _GRID_BITS)
