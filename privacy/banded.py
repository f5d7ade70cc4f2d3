"""Noise that cancels over rounds: banded matrix factorisation, for people who take part seldom and at known rounds.

The rounds' sums S become C^-1 (C S + noise): each release alone is noisier than by the independent Gaussian, the sum of
all so far, which is what a model is made of, less so. C is lower triangular, Toeplitz, with `band` diagonals.

Why it is private: somebody whose rounds lie at least `band` apart touches columns of C that share no row, so k
contributions of norm at most B move C S by at most sqrt(k) * norm(column) * B. With noise of standard deviation
z * norm(column) * B, each contribution costs what one release at noise multiplier z does, and no sampling is needed.
C^-1 is applied afterwards, to what is private already. A restart that begins anew with no past noise makes C block
diagonal, which touches fewer rows and moves no more: so noise need never be written down.

Sources: Choquette-Choo et al. 2023, arXiv:2306.08153 (banded, minimum separation); Kalinin and Lampert 2024,
arXiv:2405.13763 (the square root's coefficients, in closed form).
"""

from collections.abc import Callable
from functools import lru_cache
from math import sqrt

import numpy as np

from penchant.errors import BadInput
from penchant.privacy.noise import NoiseSource
from penchant.types import F64


@lru_cache(maxsize=64)
def coefficients(band: int) -> tuple[float, ...]:
    """The diagonals of C: of the square root of the matrix of prefix sums, binom(2j, j) / 4^j, cut at `band`."""
    if band < 1:
        raise BadInput(f"a band of {band}: must be 1 (independent noise) or more")
    found = [1.0]
    for j in range(1, band):
        found.append(found[-1] * (2 * j - 1) / (2 * j))
    return tuple(found)


def column_norm(band: int) -> float:
    """How far one contribution of norm 1 moves C S: what the noise has to be raised by. 1 for independent noise."""
    return sqrt(sum(c * c for c in coefficients(band)))


def prefix_error(band: int, rounds: int) -> float:
    """Root mean square, over rounds, of the noise in the sum of all releases so far, at noise multiplier 1.

    For the independent Gaussian (band 1) this is about sqrt(rounds / 2).
    """
    from scipy.signal import lfilter  # a device draws no such noise and does not carry SciPy

    impulse = np.zeros(rounds)
    impulse[0] = 1.0
    weights = np.cumsum(lfilter([1.0], coefficients(band), impulse))  # the first column of A C^-1, Toeplitz
    return column_norm(band) * float(np.sqrt(np.cumsum(weights**2).mean()))


def best_band(separation: int, rounds: int) -> int:
    """The band, at most `separation`, with the least error over so many rounds; 1 where correlation gains nothing."""
    candidates = {1, separation, *(2**power for power in range(separation.bit_length()))}
    fitting = sorted(band for band in candidates if band <= separation)
    return int(min(fitting, key=lambda band: prefix_error(band, rounds)))


class BandedNoise:
    """round -> the source of its noise, correlated with that of the rounds before.

    Past noise lives in memory alone. Noise that can be drawn again is, so that a resumed simulation goes on as if never
    stopped; noise that protects people starts anew.
    """

    def __init__(self, fresh: Callable[[int], NoiseSource], *, band: int) -> None:
        """fresh: round -> independent noise."""
        self._fresh = fresh
        self._band = band
        self._past: dict[int, F64] = {}

    def __call__(self, round_: int) -> NoiseSource:
        return _Round(self, round_, self._fresh(round_))

    def sample(self, round_: int, source: NoiseSource, size: int) -> F64:
        """float64[size]: row `round_` of C^-1 times independent N(0, 1)."""
        noise = source.standard_normal(size)
        for back, coefficient in enumerate(coefficients(self._band)[1:], start=1):
            if round_ - back >= 1:
                noise = noise - coefficient * self._before(round_ - back, size, replay=not source.protects)
        self._past[round_] = noise
        self._past = {kept: x for kept, x in self._past.items() if kept > round_ - self._band}
        return noise

    def _before(self, round_: int, size: int, *, replay: bool) -> F64:
        if round_ not in self._past and replay:
            for earlier in range(1, round_ + 1):
                self.sample(earlier, self._fresh(earlier), size)
        return self._past.get(round_, np.zeros(size))


class _Round:
    """One round's share of correlated noise, as a `NoiseSource`. Its unit is the raised standard deviation."""

    def __init__(self, noise: BandedNoise, round_: int, source: NoiseSource) -> None:
        self._noise, self._round, self._source = noise, round_, source

    @property
    def protects(self) -> bool:
        return self._source.protects

    def standard_normal(self, size: int) -> F64:
        return self._noise.sample(self._round, self._source, size)
