"""The audit by attack: canaries in a shadow federation, each in or out by a coin; what guesses of the coins prove."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from penchant.errors import BadInput
from penchant.privacy.ledger import Ledger
from penchant.privacy.one_run import EmpiricalBound, Membership, lower_bound
from penchant.privacy.pricing import Priced, cross_checked
from penchant.rundir import RunDirectory
from penchant.simulation.attack.shadow_counts import ShadowCounts
from penchant.simulation.attack.shadow_rounds import ShadowRounds
from penchant.simulation.settings import RunSettings, validated
from penchant.simulation.world import World
from penchant.types import F64, Bool, Unit


@dataclass(frozen=True, slots=True)
class Attack:
    """What was claimed, and what an attacker could prove.

    model, recommendations: who of the real people was trained on, told from what was released and from lists alone.
    """

    claim: Priced
    bound: EmpiricalBound
    sees: str
    model: Membership
    recommendations: Membership

    @property
    def refuted(self) -> bool:
        """Whether the attack proves more than was claimed."""
        return self.bound.epsilon > self.claim.epsilon

    def to_record(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return {
            "claim": self.claim.to_record(),
            "bound": asdict(self.bound),
            "refuted": self.refuted,
            "attacker_sees": self.sees,
            "membership": {"model": asdict(self.model), "recommendations": asdict(self.recommendations)},
        }


class Shadow(Protocol):
    """A federation to be attacked. included: bool[m], the canaries' coins."""

    included: Bool

    @property
    def sees(self) -> str:
        """What the attacker is given, in words."""
        ...

    def run(self, run: RunDirectory, ledger: Ledger, done: Callable[[], None]) -> F64:
        """Everything that it releases, charged: float64[m], higher where a canary seems in."""
        ...

    def memberships(self) -> tuple[Membership, Membership]:
        """Afterwards: told from what was released, and from lists alone."""
        ...


def claiming(settings: RunSettings, epsilon: float) -> RunSettings:
    """The same run with its noise calibrated to another claim: few guesses can refute a small epsilon only."""
    privacy = {
        **settings.privacy.model_dump(),
        "epsilon": epsilon,
        "noise_multiplier": None,
        "reproducible_noise": False,
    }
    return validated({**settings.model_dump(), "privacy": privacy}, source="the attack's settings")


def attack(
    settings: RunSettings,
    world: World,
    folder: Path,
    *,
    canaries: int,
    guesses: int,
    done: Callable[[], None] = lambda: None,
) -> Attack:
    """Run the shadow federation in `folder`, guess the canaries' coins, and hold that against the ledger's price.

    Its rounds are attacked; without any, its counts. Half of the real people, drawn by coins too, are left out: they
    are the others of the membership tests.
    Raises: BadInput where nothing is protected, there are too few rounds, or no room for the canaries.
    """
    if settings.privacy.unit is Unit.NONE:
        raise BadInput(
            "unit none claims nothing that could be refuted; attack a run with --privacy user or event"
        )
    shadow: Shadow = (
        ShadowRounds(settings, world, canaries)
        if settings.federation.rounds
        else ShadowCounts(settings, world, canaries)
    )
    with Ledger(RunDirectory(folder).ledger_path, run_id="shadow") as ledger:
        scores = shadow.run(RunDirectory(folder), ledger, done)
        claim = cross_checked(ledger.charges.spent(), delta=settings.privacy.delta)
    bound = lower_bound(scores, shadow.included, guesses=guesses, delta=settings.privacy.delta)
    return Attack(claim, bound, shadow.sees, *shadow.memberships())
