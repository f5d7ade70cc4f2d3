"""The exact price of Gaussian releases in which everyone takes part: a formula, where libraries compute numerically.

Gaussian sums compose into one: noise multipliers z_1, z_2, … act like a single one of (sum of 1/z_i^2)^(-1/2),
adaptively too. Nothing is approximated, and nothing but the standard library is needed.
Source: Balle and Wang 2018, arXiv:1805.06530, theorem 8; composition: Dong et al. 2022, arXiv:1905.02383, cor. 3.3.
"""

from collections.abc import Iterable
from math import erfc, exp, inf, log, pi, sqrt
from typing import Final

from penchant.errors import BadInput

_ROUNDS: Final = 200
_FAR: Final = 30.0


def exact_epsilon(releases: Iterable[tuple[float, int]], *, delta: float) -> float:
    """Epsilon of Gaussian releases, add-or-remove, no sampling; 0 for none.

    releases: (noise multiplier, how often).  Never below the true figure: what is found is rounded up.
    Raises: BadInput for a noise multiplier or delta that is no positive number.
    """
    if not 0 < delta < 1:
        raise BadInput(f"delta is {delta}, expected a number between 0 and 1")
    shift = sqrt(sum(steps / _positive(z) ** 2 for z, steps in releases))
    if shift == 0 or exact_delta(0.0, shift=shift) <= delta:
        return 0.0
    low, high = 0.0, 1.0
    while exact_delta(high, shift=shift) > delta:
        low, high = high, 2 * high
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if exact_delta(middle, shift=shift) > delta else (low, middle)
    return high


def exact_delta(epsilon: float, *, shift: float) -> float:
    """The least delta for which a Gaussian with a mean that `shift` standard deviations move is (epsilon, delta)-DP."""
    known = exp(epsilon + _log_upper_tail(shift / 2 + epsilon / shift))
    return _upper_tail(epsilon / shift - shift / 2) - known


def _upper_tail(x: float) -> float:
    return erfc(x / sqrt(2)) / 2


def _log_upper_tail(x: float) -> float:
    """Far out, where the tail underflows, a lower bound of it: x / (1 + x^2) of the density (Gordon 1941)."""
    if x < _FAR:
        return log(_upper_tail(x))
    return log(x / (1 + x * x)) - x * x / 2 - log(2 * pi) / 2


def _positive(z: float) -> float:
    if not 0 < z < inf:
        raise BadInput(f"a noise multiplier of {z} protects nobody or means nothing")
    return z
