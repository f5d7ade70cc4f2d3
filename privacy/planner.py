"""What a run would cost, and what would make it affordable. Spends nothing."""

from dataclasses import dataclass
from typing import Any

from penchant.errors import BadInput, BudgetExceeded
from penchant.privacy.calibrate import (
    checked_epsilon,
    checked_rounds,
    event_for,
    noise_multiplier_for,
    rate_for,
    rounds_for,
)
from penchant.privacy.pricing import Priced, cross_checked
from penchant.types import Unit


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known beforehand; what is None is to be found.

    rate: of Poisson sampling by the server in secret; None claims no amplification.
    """

    unit: Unit
    delta: float
    epsilon: float | None = None
    noise_multiplier: float | None = None
    rounds: int | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that keeps its wish, and its price."""

    rounds: int
    noise_multiplier: float
    rate: float | None
    priced: Priced

    def to_record(self) -> dict[str, Any]:
        """JSON-ready fields, flat."""
        own = {"rounds": self.rounds, "noise_multiplier": self.noise_multiplier, "sampling_rate": self.rate}
        return {**self.priced.to_record(), **own}


def plan(wish: Wish) -> Plan:
    """From any two of epsilon, noise multiplier and rounds (the rate is given) to the third, and the price of it all.

    Raises: BudgetExceeded where the three together do not fit, naming the nearest that would; BadInput.
    """
    rounds, noise_multiplier = _completed(wish)
    priced = cross_checked(
        [event_for(noise_multiplier, unit=wish.unit, rate=wish.rate)] * rounds, delta=wish.delta
    )
    if wish.epsilon is not None and priced.epsilon > wish.epsilon:
        raise BudgetExceeded(_too_dear(wish, wish.epsilon, rounds, noise_multiplier, priced.epsilon))
    return Plan(rounds, noise_multiplier, wish.rate, priced)


def plan_rate(wish: Wish) -> Plan:
    """From epsilon, noise multiplier and rounds to the largest rate of Poisson sampling; everybody where they fit."""
    if wish.epsilon is None or wish.noise_multiplier is None or wish.rounds is None:
        raise BadInput("to find the cohort, give epsilon, noise multiplier and rounds")
    rate = rate_for(
        wish.epsilon, delta=wish.delta, rounds=wish.rounds, noise_multiplier=wish.noise_multiplier
    )
    found = Wish(
        wish.unit, wish.delta, wish.epsilon, wish.noise_multiplier, wish.rounds, None if rate == 1 else rate
    )
    return plan(found)


def _completed(wish: Wish) -> tuple[int, float]:
    match wish:
        case Wish(noise_multiplier=float(noise), rounds=int(rounds)):
            return checked_rounds(rounds), noise
        case Wish(epsilon=float(epsilon), rounds=int(rounds)):
            return rounds, noise_multiplier_for(epsilon, delta=wish.delta, rounds=rounds, rate=wish.rate)
        case Wish(epsilon=float(epsilon), noise_multiplier=float(noise)):
            return rounds_for(epsilon, delta=wish.delta, noise_multiplier=noise, rate=wish.rate), noise
    raise BadInput("give two of epsilon, noise multiplier and rounds")


def _too_dear(wish: Wish, epsilon: float, rounds: int, noise_multiplier: float, reached: float) -> str:
    checked_epsilon(epsilon)
    noise = noise_multiplier_for(epsilon, delta=wish.delta, rounds=rounds, rate=wish.rate)
    cures = [f"raise the noise multiplier to {noise:.3f}", f"allow epsilon {reached:.2f}"]
    try:
        fewer = rounds_for(epsilon, delta=wish.delta, noise_multiplier=noise_multiplier, rate=wish.rate)
        cures.insert(0, f"lower the rounds to {fewer}")
    except BudgetExceeded:
        pass  # not even one round fits: then only more noise or more budget helps
    return (
        f"{rounds} rounds with noise multiplier {noise_multiplier:g} reach epsilon {reached:.2f} > {epsilon:g}"
        f" at delta {wish.delta:g}: " + ", or ".join(cures)
    )
