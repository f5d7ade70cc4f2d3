"""The client's own limit: one account for life, whoever runs the server."""

from functools import lru_cache

from penchant.client.store import Charge, charged
from penchant.errors import BudgetExceeded
from penchant.privacy.exact_gaussian import exact_epsilon
from penchant.strategies.guarantee import Guarantee


@lru_cache(maxsize=4096)
def spent_epsilon(charges: tuple[Charge, ...], *, delta: float) -> float:
    """Epsilon of everything that a client has released so far, in the unit that was protected; 0 for nothing.

    A sampling rate in a charge lowers nothing: whether a draw was secret and independent, a device cannot see.
    """
    return exact_epsilon(((z, steps) for z, _, steps in charges), delta=delta)


def admit_charge(
    charges: tuple[Charge, ...], guarantee: Guarantee, *, epsilon_limit: float | None, delta: float
) -> None:
    """Raises: BudgetExceeded when one more round would pass the client's limit. Nothing is spent by asking."""
    if epsilon_limit is None:
        return
    after = spent_epsilon(charged(charges, guarantee.noise_multiplier), delta=delta)
    if after > epsilon_limit:
        raise BudgetExceeded(
            f"one more round would bring this client to epsilon {after:.2f}, past {epsilon_limit:g}"
        )
