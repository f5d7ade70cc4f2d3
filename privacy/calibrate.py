"""From a wish to the noise, or to the rounds, that meet it: what `penchant plan` and every run start from."""

from collections.abc import Callable, Sequence
from math import exp, floor, isfinite, log, sqrt
from typing import Final

from scipy.optimize import brentq
from scipy.stats import norm

from penchant.errors import BadInput, BudgetExceeded
from penchant.privacy.accountants import PLDAccountant, checked_delta
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.types import Unit

_LEAST_NOISE: Final = 0.05
_MOST_NOISE: Final = 1e6
_MOST_ROUNDS: Final = 1_000_000
_LEAST_RATE: Final = 1e-6
_MOST_RATE: Final = 1 - 1e-9
_STEP: Final = 1 + 2e-5


def event_for(noise_multiplier: float, *, unit: Unit, rate: float | None = None) -> PrivacyEvent:
    """One round's event: Poisson where the server samples secretly at `rate`, else unamplified."""
    if rate is None:
        return GaussianSum(noise_multiplier, unit)
    return PoissonGaussianSum(rate, noise_multiplier, unit)


def epsilon_of(noise_multiplier: float, *, delta: float, rounds: int, rate: float | None = None) -> float:
    """Epsilon of `rounds` equal rounds, by PLD."""
    event = event_for(noise_multiplier, unit=Unit.USER, rate=rate)
    return PLDAccountant().epsilon([event] * checked_rounds(rounds), delta=delta)


def noise_multiplier_for(
    epsilon: float,
    *,
    delta: float,
    rounds: int,
    rate: float | None = None,
    beside: Sequence[GaussianSum] = (),
) -> float:
    """The least noise multiplier, within 0.01%, with which `rounds` rounds stay within `epsilon`.

    beside: what is released besides the rounds, and paid for from the same epsilon.
    Guarantees: PLD prices the returned multiplier, with all that is beside it, at no more than `epsilon`.
    Raises: BadInput for a value out of range; BudgetExceeded where 1,000,000 clip bounds are too little.
    """
    _check(epsilon, delta)

    def price(noise_multiplier: float) -> float:
        event = event_for(noise_multiplier, unit=beside[0].unit if beside else Unit.USER, rate=rate)
        return PLDAccountant().epsilon([event] * rounds + list(beside), delta=delta)

    left = gaussian_loss_for(epsilon, delta=delta) ** 2 - sum(event.noise_multiplier**-2 for event in beside)
    if left <= 0:
        raise BudgetExceeded(f"epsilon {epsilon} is spent by what is released besides the rounds")
    enough = sqrt(checked_rounds(rounds) / left)
    if enough > _MOST_NOISE:
        raise BudgetExceeded(
            f"epsilon {epsilon}, delta {delta}, {rounds} rounds: needs noise of {enough:.2g} clip bounds, so"
            f" nothing could be learnt. Wish for epsilon {epsilon * enough / 1e3:.2g} or more"
        )
    if rate is not None:
        enough = _least_sampled(epsilon, enough, price)
    while price(enough) > epsilon:
        enough *= _STEP
    return enough


def rounds_for(epsilon: float, *, delta: float, noise_multiplier: float, rate: float | None = None) -> int:
    """The most rounds that stay within `epsilon`, at most 1,000,000.

    Raises: BadInput for a value out of range; BudgetExceeded where the first round alone is too dear, naming
    the noise that would do.
    """
    _check(epsilon, delta)

    def fits(rounds: int) -> bool:
        return epsilon_of(noise_multiplier, delta=delta, rounds=rounds, rate=rate) <= epsilon

    if not fits(1):
        enough = noise_multiplier_for(epsilon, delta=delta, rounds=1, rate=rate)
        raise BudgetExceeded(
            f"noise multiplier {noise_multiplier}: one round alone costs more than epsilon {epsilon};"
            f" raise the noise multiplier to {enough:.3f} for one round, or the epsilon"
        )
    if rate is not None:
        return _largest(fits)
    rounds = min(floor((gaussian_loss_for(epsilon, delta=delta) * noise_multiplier) ** 2) + 1, _MOST_ROUNDS)
    return rounds if fits(rounds) else rounds - 1


def rate_for(epsilon: float, *, delta: float, rounds: int, noise_multiplier: float) -> float:
    """The largest rate of Poisson sampling, within 0.01%, that stays within `epsilon`; 1 where everybody may join.

    Raises: BadInput for a value out of range; BudgetExceeded where one person in a million is too many.
    """
    _check(epsilon, delta)
    if epsilon_of(noise_multiplier, delta=delta, rounds=rounds) <= epsilon:
        return 1.0

    def excess(log_rate: float) -> float:
        return log(epsilon_of(noise_multiplier, delta=delta, rounds=rounds, rate=exp(log_rate)) / epsilon)

    if excess(log(_LEAST_RATE)) > 0:
        enough = noise_multiplier_for(epsilon, delta=delta, rounds=rounds, rate=_LEAST_RATE)
        raise BudgetExceeded(
            f"noise multiplier {noise_multiplier} over {rounds} rounds passes epsilon {epsilon} for any cohort;"
            f" the smallest cohorts need {enough:.3f}"
        )
    rate = exp(brentq(excess, log(_LEAST_RATE), log(_MOST_RATE), xtol=2e-5))
    while epsilon_of(noise_multiplier, delta=delta, rounds=rounds, rate=rate) > epsilon:
        rate /= _STEP
    return rate


def gaussian_loss_for(epsilon: float, *, delta: float) -> float:
    """The sensitivity over noise, mu, of the one Gaussian release that costs exactly `epsilon` at `delta`.

    Source: Balle and Wang 2018, arXiv:1805.06530, Theorem 8; true for every epsilon, where the textbook's
    sqrt(2 ln(1.25/delta))/epsilon is proved below 1 only.
    """

    def excess(log_mu: float) -> float:
        return gaussian_delta(exp(log_mu), epsilon=epsilon) - delta

    return exp(brentq(excess, -30, 8, xtol=1e-13))


def gaussian_epsilon_of(mu: float, *, delta: float) -> float:
    """The inverse of `gaussian_loss_for`: the exact epsilon of one Gaussian release, sensitivity over noise `mu`."""

    def excess(epsilon: float) -> float:
        return gaussian_delta(mu, epsilon=epsilon) - delta

    most = mu**2 / 2 + 10 * mu + 10
    return 0.0 if excess(0.0) <= 0 else float(brentq(excess, 0.0, most, xtol=1e-9))


def gaussian_delta(mu: float, *, epsilon: float) -> float:
    """The exact delta of one Gaussian release with sensitivity over noise `mu`, at `epsilon`."""
    far = epsilon + norm.logcdf(-mu / 2 - epsilon / mu)
    return float(norm.cdf(mu / 2 - epsilon / mu) - exp(min(far, 0.0)))


def checked_epsilon(epsilon: float) -> float:
    """Raises: BadInput for an epsilon that is not a number above 0."""
    if not (isfinite(epsilon) and epsilon > 0):
        raise BadInput(f"epsilon {epsilon}: must be a number above 0 (0 allows no release; 1 to 10 is usual)")
    return epsilon


def checked_rounds(rounds: int) -> int:
    """Raises: BadInput for a number of rounds outside 1 to 1,000,000."""
    if not 1 <= rounds <= _MOST_ROUNDS:
        raise BadInput(f"{rounds} rounds: must lie between 1 and {_MOST_ROUNDS:,}")
    return rounds


def checked_delta_for(delta: float, *, people: int) -> float:
    """Raises: BadInput for a delta not below 1 over the people: it would allow publishing somebody whole."""
    if checked_delta(delta) * people >= 1:
        raise BadInput(
            f"delta {delta} with {people} people: must be below {1 / people:.2g}; try {0.1 / people:.1g}"
        )
    return delta


def _check(epsilon: float, delta: float) -> None:
    checked_epsilon(epsilon)
    checked_delta(delta)


def _least_sampled(epsilon: float, enough: float, price: Callable[[float], float]) -> float:
    """Sampling only helps, so the answer lies below `enough`, the noise that does without it."""
    low = max(enough / 2, _LEAST_NOISE)
    while low > _LEAST_NOISE and price(low) < epsilon:
        low = max(low / 2, _LEAST_NOISE)
    if price(low) <= epsilon:
        return low
    return exp(brentq(lambda z: log(price(exp(z)) / epsilon), log(low), log(enough), xtol=2e-5))


def _largest(fits: Callable[[int], bool]) -> int:
    low, high = 1, 2
    while high <= _MOST_ROUNDS and fits(high):
        low, high = high, 2 * high
    high = min(high, _MOST_ROUNDS + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
