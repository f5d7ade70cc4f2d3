"""Epsilon with everything that must stand beside it, and a second opinion."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Final

from penchant.errors import BadInput, CheckFailed
from penchant.privacy.accountants import (
    Accountant,
    PLDAccountant,
    PRVAccountant,
    RDPAccountant,
    checked_delta,
)
from penchant.privacy.events import ADJACENCY, PoissonGaussianSum, PrivacyEvent
from penchant.types import Sampling, Unit

_PRV_UP_TO: Final = 40.0
"""Above this epsilon PRV needs minutes, and the guarantee says nothing anyway."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What some events cost together.

    epsilon counts amplification only where an event claims it; epsilon_unamplified grants none.
    cross_check_epsilon: the second library's figure; both agree within the tolerance of `cross_checked`.
    """

    epsilon: float
    delta: float
    unit: Unit
    adjacency: str
    sampling: Sampling
    epsilon_unamplified: float
    accountant: str
    cross_check: str
    cross_check_epsilon: float

    def to_record(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


def cross_checked(events: Sequence[PrivacyEvent], *, delta: float) -> Priced:
    """Price by PLD and confirm by Opacus: PRV, or RDP where PRV fails or the epsilon is past use.

    Raises: CheckFailed when the two disagree by more than 2% + 0.02 (PRV), or when PLD is not between 60% of
    RDP - 0.5 and RDP (a bound, so only gross errors show); BadInput for no events, several units, or a delta
    outside (0, 1).
    """
    if not events:
        raise BadInput("nothing was charged, so there is nothing to price")
    epsilon = PLDAccountant().epsilon(events, delta=checked_delta(delta))
    second, second_epsilon = _second_opinion(events, delta)
    _agree(epsilon, second, second_epsilon)
    return Priced(
        epsilon=epsilon,
        delta=delta,
        unit=events[0].unit,
        adjacency=ADJACENCY[events[0].unit],
        sampling=Sampling.POISSON if any(isinstance(e, PoissonGaussianSum) for e in events) else Sampling.ALL,
        epsilon_unamplified=PLDAccountant().epsilon([event.unamplified for event in events], delta=delta),
        accountant=PLDAccountant.name,
        cross_check=second.name,
        cross_check_epsilon=second_epsilon,
    )


def _second_opinion(events: Sequence[PrivacyEvent], delta: float) -> tuple[Accountant, float]:
    renyi = RDPAccountant().epsilon(events, delta=delta)
    if renyi <= _PRV_UP_TO:
        try:
            return PRVAccountant(), PRVAccountant().epsilon(events, delta=delta)
        except ArithmeticError:
            pass  # Opacus PRV cannot price this; the name in the result says that RDP did
    return RDPAccountant(), renyi


def _agree(epsilon: float, second: Accountant, other: float) -> None:
    if isinstance(second, PRVAccountant):
        agreed = abs(epsilon - other) <= 0.02 * max(epsilon, other) + 0.02
    else:
        agreed = 0.6 * other - 0.5 <= epsilon <= 1.001 * other
    if not agreed:
        raise CheckFailed(
            f"accountants disagree: {PLDAccountant.name} says {epsilon:.4f}, {second.name} says {other:.4f};"
            " no epsilon can be claimed. Check the versions with `penchant doctor`"
        )


def curve(events: Sequence[PrivacyEvent], *, deltas: Sequence[float]) -> list[tuple[float, float]]:
    """(delta, epsilon) pairs by PLD: one mechanism keeps them all at once."""
    return [(delta, PLDAccountant().epsilon(events, delta=delta)) for delta in deltas]


def gaussian_loss(events: Sequence[PrivacyEvent]) -> float | None:
    """mu, where all events are exactly one Gaussian release (mu-GDP, mu^2/2-zCDP); None where any is sampled."""
    if any(isinstance(event, PoissonGaussianSum) for event in events):
        return None
    return sqrt(sum(event.noise_multiplier**-2 for event in events))
