"""The client's own limit: one account for life, whoever runs the server."""

from functools import lru_cache

from penchant.client.store import Charge, charged
from penchant.errors import BudgetExceeded
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.strategies.guarantee import Guarantee
from penchant.types import Unit


def spent_epsilon(charges: tuple[Charge, ...], *, unit: Unit, delta: float) -> float:
    """Epsilon of everything that a client has released so far; 0 for nothing."""
    return _priced(charges, unit, delta) if charges else 0.0


def admit_charge(
    charges: tuple[Charge, ...], guarantee: Guarantee, *, epsilon_limit: float | None, delta: float
) -> None:
    """Raises: BudgetExceeded when one more round would pass the client's limit. Nothing is spent by asking."""
    if epsilon_limit is None:
        return
    after = spent_epsilon(charged(charges, guarantee.noise_multiplier), unit=guarantee.unit, delta=delta)
    if after > epsilon_limit:
        raise BudgetExceeded(
            f"one more round would bring this client to epsilon {after:.2f}, past {epsilon_limit:g}"
        )


@lru_cache(maxsize=4096)
def _priced(charges: tuple[Charge, ...], unit: Unit, delta: float) -> float:
    events = [_event(z, rate, unit) for z, rate, steps in charges for _ in range(steps)]
    return PLDAccountant().epsilon(events, delta=delta)


def _event(noise_multiplier: float, rate: float, unit: Unit) -> PrivacyEvent:
    if rate >= 1:
        return GaussianSum(noise_multiplier, unit)
    return PoissonGaussianSum(rate, noise_multiplier, unit)
