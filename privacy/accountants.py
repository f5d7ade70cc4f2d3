"""What events cost: two libraries, three ways to compose.

T releases of Gaussian sums with multipliers z_i are one release with multiplier (sum of 1/z_i^2)^(-1/2): the
privacy loss of a Gaussian is Gaussian, and losses add. That is exact, so every accountant here prices the one
instead of the many.
"""

import warnings
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from math import floor, isfinite, log2
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from dp_accounting import GaussianDpEvent, NeighboringRelation, PoissonSampledDpEvent
from dp_accounting.pld import PLDAccountant as _LossDistribution
from opacus.accountants import PRVAccountant as _OpacusPRV
from opacus.accountants import RDPAccountant as _OpacusRDP

from penchant.errors import BadInput
from penchant.privacy.events import PoissonGaussianSum, PrivacyEvent

Step: TypeAlias = tuple[float, float, int]
"""(sampling rate, noise multiplier, how many times)."""


class Accountant(Protocol):
    """Interprets events. All events must speak of the same unit."""

    @property
    def name(self) -> str:
        """Method, library and version, as a report prints it."""
        ...

    def epsilon(self, events: Iterable[PrivacyEvent], *, delta: float) -> float:
        """The smallest epsilon that the method can prove for all events together; 0 for none."""
        ...


class PLDAccountant:
    """Privacy loss distributions, add-or-remove: an upper bound within about 1e-4 of the truth, relatively.

    Replace-one of the same library is not used: it under-reports (google/differential-privacy issue 378).
    Source: Doroshenko et al. 2022, arXiv:2207.04380 (connect-the-dots discretisation, pessimistic).
    """

    name: Final = f"PLD (dp-accounting {version('dp-accounting')})"

    def epsilon(self, events: Iterable[PrivacyEvent], *, delta: float) -> float:
        return _pld(_steps(events), checked_delta(delta))


class PRVAccountant:
    """Opacus' privacy random variables: an upper bound within about 0.02. Fails on extreme inputs.

    Raises: ArithmeticError where Opacus cannot tell.
    Source: Gopi, Lee and Wutschitz 2021, arXiv:2106.02848.
    """

    name: Final = f"PRV (opacus {version('opacus')})"

    def epsilon(self, events: Iterable[PrivacyEvent], *, delta: float) -> float:
        return _prv(_steps(events), checked_delta(delta))


class RDPAccountant:
    """Opacus' Renyi accountant: a looser upper bound that never fails.

    Sources: Mironov, Talwar and Zhang 2019, arXiv:1908.10530; conversion of Balle et al. 2020,
    arXiv:1905.09982.
    """

    name: Final = f"RDP (opacus {version('opacus')})"

    def epsilon(self, events: Iterable[PrivacyEvent], *, delta: float) -> float:
        return _rdp(_steps(events), checked_delta(delta))


def checked_delta(delta: float) -> float:
    """Raises: BadInput for a delta that is not strictly between 0 and 1."""
    if not 0 < delta < 1:
        raise BadInput(f"delta {delta}: must lie between 0 and 1, and well below 1 over the number of people")
    return delta


def _steps(events: Iterable[PrivacyEvent]) -> tuple[Step, ...]:
    """Equal steps counted, and all that are not amplified merged into one Gaussian."""
    counts = Counter(events)
    if len({event.unit for event in counts}) > 1:
        raise BadInput("these events protect different units: price each unit by itself")
    full = sum(n / e.noise_multiplier**2 for e, n in counts.items() if not isinstance(e, PoissonGaussianSum))
    sampled = [
        (e.rate, e.noise_multiplier, n) for e, n in counts.items() if isinstance(e, PoissonGaussianSum)
    ]
    return tuple(sorted(sampled + ([(1.0, full**-0.5, 1)] if full else [])))


@lru_cache(maxsize=4096)
def _pld(steps: tuple[Step, ...], delta: float) -> float:
    if not steps:
        return 0.0
    width = 1e-4 * min(max(_rdp(steps, delta), 0.1), 1e3)
    return float(_losses(steps, 2.0 ** floor(log2(width))).get_epsilon(delta))


@lru_cache(maxsize=8)
def _losses(steps: tuple[Step, ...], width: float) -> Any:
    """The loss distribution on a grid: one serves several deltas, for widths are powers of two."""
    accountant = _LossDistribution(NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=width)
    for rate, noise_multiplier, count in steps:
        gaussian = GaussianDpEvent(noise_multiplier)
        accountant.compose(gaussian if rate == 1 else PoissonSampledDpEvent(rate, gaussian), count)
    return accountant


@lru_cache(maxsize=4096)
def _prv(steps: tuple[Step, ...], delta: float) -> float:
    if not steps:
        return 0.0
    accountant = _OpacusPRV()
    accountant.history = [(noise_multiplier, rate, count) for rate, noise_multiplier, count in steps]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            epsilon = float(accountant.get_epsilon(delta))
    except (ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
        raise ArithmeticError(f"Opacus PRV failed: {error}") from error
    if not (isfinite(epsilon) and epsilon >= 0):
        raise ArithmeticError(f"Opacus PRV returned {epsilon}")
    return epsilon


@lru_cache(maxsize=4096)
def _rdp(steps: tuple[Step, ...], delta: float) -> float:
    if not steps:
        return 0.0
    accountant = _OpacusRDP()
    accountant.history = [(noise_multiplier, rate, count) for rate, noise_multiplier, count in steps]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the best order lies at the edge of the list: still an upper bound
        return float(accountant.get_epsilon(delta, alphas=RENYI_ORDERS))


RENYI_ORDERS: Final = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64)) + [2**k for k in range(6, 13)]
