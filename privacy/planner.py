"""What a run would cost, and what would make it affordable. Spends nothing."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from penchant.errors import BadInput, BudgetExceeded
from penchant.privacy.banded import best_band
from penchant.privacy.calibrate import (
    checked_epsilon,
    checked_rounds,
    event_for,
    noise_multiplier_for,
    rate_for,
    rounds_for,
)
from penchant.privacy.events import BandedGaussianSum, PrivacyEvent
from penchant.privacy.pricing import Priced, cross_checked
from penchant.types import Sampling, Unit


@dataclass(frozen=True, slots=True)
class Wish:
    """What is known beforehand; what is None is to be found.

    people: everyone whom the federation is for.  cohort: people expected each round; where everybody takes part, None.
    rate: of Poisson sampling by the server in secret, where it is given instead of people and cohort.
    correlate: whether noise may be correlated over rounds: it takes unit user and a server that adds it.
    """

    unit: Unit
    delta: float
    epsilon: float | None = None
    noise_multiplier: float | None = None
    rounds: int | None = None
    people: int | None = None
    cohort: int | None = None
    sampling: Sampling = Sampling.ALL
    rate: float | None = None
    correlate: bool = True

    @property
    def chance(self) -> float | None:
        """Of each person to join a round; None where nothing may be claimed."""
        if self.sampling is not Sampling.POISSON:
            return None
        if self.rate is None and self.cohort is not None and self.people is not None:
            return None if self.cohort >= self.people else self.cohort / self.people
        return self.rate

    @property
    def turns(self) -> int:
        """Rounds from one of a person's turns to the next."""
        if self.sampling is not Sampling.ROTATION or self.cohort is None or self.people is None:
            return 1
        return max(1, self.people // self.cohort)

    def band(self, rounds: int) -> int:
        """Rounds over which the noise is best correlated; 1 where independent noise is as good, or asked for."""
        return best_band(self.turns, rounds) if self.correlate and self.unit is Unit.USER else 1

    def events(self, noise_multiplier: float, rounds: int) -> list[PrivacyEvent]:
        """What one person pays for: every round, or every turn."""
        band = self.band(rounds)
        if band > 1:
            return [BandedGaussianSum(noise_multiplier, band, self.unit)] * ceil(rounds / self.turns)
        event = event_for(noise_multiplier, unit=self.unit, rate=self.chance)
        return [event] * ceil(rounds / self.turns)


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that keeps its wish, and its price. wish: as completed.  band: 1 is independent noise."""

    wish: Wish
    rounds: int
    noise_multiplier: float
    band: int
    priced: Priced

    def to_record(self) -> dict[str, Any]:
        """JSON-ready fields, flat."""
        wish = self.wish
        own = {
            "rounds": self.rounds,
            "noise_multiplier": self.noise_multiplier,
            "sampling": wish.sampling.value,
            "sampling_rate": wish.chance,
            "people": wish.people,
            "cohort": wish.cohort,
            "separation": wish.turns,
            "band": self.band,
        }
        return {**self.priced.to_record(), **own}


def plan(wish: Wish) -> Plan:
    """From any three of epsilon, noise multiplier, rounds and cohort to the fourth, and the price of it all.

    Where everybody takes part, or no amplification is claimed, the cohort does not enter the price.
    Raises: BudgetExceeded where all four together do not fit, naming the nearest that would; BadInput.
    """
    wish = _with_cohort(wish)
    rounds, noise_multiplier = _completed(wish)
    priced = cross_checked(wish.events(noise_multiplier, rounds), delta=wish.delta)
    if wish.epsilon is not None and priced.epsilon > wish.epsilon:
        raise BudgetExceeded(_too_dear(wish, wish.epsilon, rounds, noise_multiplier, priced.epsilon))
    return Plan(wish, rounds, noise_multiplier, wish.band(rounds), priced)


def _with_cohort(wish: Wish) -> Wish:
    """The largest cohort that the other three allow, where it is what is missing."""
    if wish.sampling not in (Sampling.POISSON, Sampling.ROTATION) or wish.rate or wish.cohort:
        return wish
    if wish.people is None:
        raise BadInput(f"sampling {wish.sampling} needs --people, with --cohort or --sampling-rate")
    if wish.epsilon is None or wish.noise_multiplier is None or wish.rounds is None:
        raise BadInput("to find the cohort, give epsilon, noise multiplier and rounds")
    terms = {"delta": wish.delta, "noise_multiplier": wish.noise_multiplier}
    if wish.sampling is Sampling.POISSON:
        rate = rate_for(wish.epsilon, rounds=wish.rounds, **terms)
        return replace(wish, cohort=max(1, int(rate * wish.people)))
    apart = ceil(wish.rounds / rounds_for(wish.epsilon, **terms))
    if apart > wish.people:
        raise BudgetExceeded(_too_few_people(wish, apart))
    return replace(wish, cohort=wish.people // apart)


def _completed(wish: Wish) -> tuple[int, float]:
    match wish:
        case Wish(noise_multiplier=float(noise), rounds=int(rounds)):
            return checked_rounds(rounds), noise
        case Wish(epsilon=float(epsilon), rounds=int(rounds)):
            paid = ceil(checked_rounds(rounds) / wish.turns)
            return rounds, noise_multiplier_for(epsilon, delta=wish.delta, rounds=paid, rate=wish.chance)
        case Wish(epsilon=float(epsilon), noise_multiplier=float(noise)):
            return _most_rounds(wish, epsilon, noise), noise
    raise BadInput("give two of epsilon, noise multiplier and rounds")


def _most_rounds(wish: Wish, epsilon: float, noise_multiplier: float) -> int:
    paid = rounds_for(epsilon, delta=wish.delta, noise_multiplier=noise_multiplier, rate=wish.chance)
    return paid * wish.turns


def _too_dear(wish: Wish, epsilon: float, rounds: int, noise_multiplier: float, reached: float) -> str:
    """Every way out, one figure changed at a time."""
    checked_epsilon(epsilon)
    _, noise = _completed(replace(wish, noise_multiplier=None, rounds=rounds))
    cures = [f"raise the noise multiplier to {noise:.3f}", f"allow epsilon {reached:.2f}"]
    try:
        cures.insert(0, f"lower the rounds to {_most_rounds(wish, epsilon, noise_multiplier)}")
        fewer = _with_cohort(replace(wish, cohort=None, rounds=rounds, noise_multiplier=noise_multiplier))
        if wish.cohort is not None and fewer.cohort is not None:
            cures.insert(1, f"lower the cohort to {fewer.cohort}")
    except (BudgetExceeded, BadInput):
        pass  # not even one round, or one person, fits: then only more noise or more budget helps
    return (
        f"{rounds} rounds with noise multiplier {noise_multiplier:g} reach epsilon {reached:.2f} > {epsilon:g}"
        f" at delta {wish.delta:g}: " + ", or ".join(cures)
    )


def _too_few_people(wish: Wish, apart: int) -> str:
    assert wish.rounds is not None
    assert wish.people is not None
    return (
        f"{wish.rounds} rounds with noise multiplier {wish.noise_multiplier:g} need turns {apart} rounds apart to stay"
        f" within epsilon {wish.epsilon:g}, and {wish.people} people cannot take so many turns:"
        f" lower the rounds to {wish.rounds * wish.people // apart}, or raise the noise multiplier"
    )
