"""What the same epsilon buys in other ways: how much noise each leaves in what a model is made of."""

from dataclasses import dataclass, replace
from math import ceil

from penchant.errors import PenchantError
from penchant.privacy.banded import prefix_error
from penchant.privacy.calibrate import noise_multiplier_for
from penchant.privacy.planner import Plan, Wish
from penchant.types import Sampling


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to spend the epsilon of a plan.

    error: noise in the sum of all rounds' mean updates so far, root mean square over rounds and parameters, in clip
    bounds. The sum is what a model learns where each step counts alike; momentum and schedules weigh it otherwise.
    """

    name: str
    sampling: Sampling
    band: int
    noise_multiplier: float
    error: float
    chosen: bool


def alternatives(plan: Plan) -> list[Alternative]:
    """For the plan's epsilon, rounds and cohort, least noise first; empty where the people are not known.

    Secret sampling is there only where the plan has it: it rests on a secret that the other ways do without.
    """
    wish = plan.wish
    if wish.people is None or (wish.cohort is None and wish.sampling is not Sampling.ALL):
        return []
    found = [_priced(name, other, plan) for name, other in _ways(wish)]
    return sorted((way for way in found if way is not None), key=lambda way: way.error)


def _ways(wish: Wish) -> list[tuple[str, Wish]]:
    everybody = ("everybody in every round", replace(wish, sampling=Sampling.ALL, cohort=None, rate=None))
    if wish.cohort is None:
        return [everybody]
    rotation = replace(wish, sampling=Sampling.ROTATION, rate=None)
    return [
        everybody,
        ("a cohort by any rule", replace(wish, sampling=Sampling.FIXED, rate=None)),
        ("rotation, independent noise", replace(rotation, correlate=False)),
        ("rotation, correlated noise", rotation),
        ("secret Poisson sampling", replace(wish, sampling=Sampling.POISSON, rate=None)),
    ]


def _priced(name: str, wish: Wish, plan: Plan) -> Alternative | None:
    band, rounds = wish.band(plan.rounds), plan.rounds
    chosen = wish.sampling is plan.wish.sampling and band == plan.band
    if (name.endswith("correlated noise") and band == 1) or (
        wish.sampling is Sampling.POISSON and not chosen
    ):
        return None
    try:
        noise = plan.noise_multiplier if chosen else _noise(wish, plan.priced.epsilon, rounds)
    except PenchantError:
        return None
    cohort = wish.cohort or wish.people
    assert cohort is not None  # `alternatives` asks for it
    return Alternative(name, wish.sampling, band, noise, noise * prefix_error(band, rounds) / cohort, chosen)


def _noise(wish: Wish, epsilon: float, rounds: int) -> float:
    return noise_multiplier_for(epsilon, delta=wish.delta, rounds=ceil(rounds / wish.turns))
