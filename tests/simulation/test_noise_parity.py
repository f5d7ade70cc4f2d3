"""With noise on, a stacked cohort and clients one by one are the same mechanism: noise, clip, sampling, charges.

Each bound is four standard errors of what is estimated: a right engine fails one of these by chance less than once in
10,000 runs, and the power against a stated fault is worked out beside it.
"""

from collections.abc import Callable

import numpy as np
import pytest
from flwr.app import Context, RecordDict

from penchant.client.app import answer
from penchant.privacy.events import PrivacyEvent
from penchant.privacy.noise import CryptographicNoise
from penchant.simulation.federation import Federation
from penchant.simulation.roster import node_of
from penchant.simulation.world import World
from penchant.strategies import HeadState, RoundSummary
from penchant.strategies.cohort import Draw, draw_cohort
from penchant.strategies.wire import TrainRequest
from penchant.types import F64
from tests.simulation.conftest import settings_of
from tests.simulation.test_parity import Silence

PEOPLE = tuple(range(12))
ENGINES = ("cohort", "flower")
CLIENT_NOISE = {
    "user": ("privacy.unit=user", "privacy.noise_at=client", "training.adapter_steps=0"),
    "event": ("privacy.unit=event", "privacy.noise_at=client", "training.adapter_steps=0"),
}


def summed(federation: Federation, engine: str, people: tuple[int, ...] = PEOPLE) -> F64:
    """What reaches the server from `people` in round 1, summed."""
    request = TrainRequest(1, federation.initial_state().head, people)
    if engine == "cohort":
        return federation._engine().answer(request).values.astype(np.float64)
    plan = federation._plan()
    total: F64 = np.zeros(federation.layout.size)
    for person in people:
        context = Context(
            run_id=1, node_id=node_of(person), node_config={}, state=RecordDict(), run_config={}
        )
        total += answer(plan, federation._person(context), request)
    return total


@pytest.mark.parametrize("unit", CLIENT_NOISE)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_noise_of_clients_has_the_mean_and_the_variance_that_is_charged(
    unit: str, engine: str, small_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(*CLIENT_NOISE[unit], "privacy.noise_multiplier=2.0", "privacy.epsilon=null")
    world = small_world(len(PEOPLE), settings)
    monkeypatch.setattr(Federation, "noise", lambda *_: Silence())
    quiet = summed(Federation.of(settings, world), engine)
    monkeypatch.setattr(Federation, "noise", lambda *_: CryptographicNoise())
    noise = summed(Federation.of(settings, world), engine) - quiet
    std = 2.0 * settings.privacy.clip_bound * len(PEOPLE) ** 0.5
    count = len(noise)
    assert count > 2000
    assert abs(noise.mean()) < 4 * std / count**0.5
    # Power: a variance that is 20% off, as one client's noise more or less of five would make it, lies
    # 0.2 / sqrt(2 / 2000) = 6.3 standard errors away and is missed with probability below 0.02.
    assert abs(noise.var() / std**2 - 1) < 4 * (2 / count) ** 0.5


@pytest.mark.parametrize("engine", ENGINES)
def test_everybodys_update_is_clipped_to_the_bound(
    engine: str, small_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Federation, "noise", lambda *_: Silence())
    settings = settings_of("privacy.unit=user", "privacy.clip_bound=0.05", "training.adapter_steps=0")
    federation = Federation.of(settings, small_world(len(PEOPLE), settings))
    norms = [float(np.linalg.norm(summed(federation, engine, (person,)))) for person in PEOPLE]
    assert max(norms) <= 0.05 * (1 + 1e-5)
    assert np.mean(np.isclose(norms, 0.05, rtol=1e-4)) > 0.5, (
        "hardly anyone was clipped, so nothing was tested"
    )


def test_both_engines_draw_the_same_people_by_the_rate_that_is_charged() -> None:
    settings = settings_of(
        "federation.cohort=30", "federation.sampling=poisson", "privacy.unit=user"
    ).federation
    rounds, population, rate = 400, 100, 0.3
    joined = np.zeros(population)
    sizes = []
    for _ in range(rounds):
        drawn = draw_cohort(range(population), settings, population=population, seed=0, round_=1, secret=True)
        joined[drawn.people] += 1
        sizes.append(len(drawn.people))
        assert drawn.rate == rate
    # Power: a fixed-size draw has sizes of variance 0 where 21 are due, 14 standard errors away; a rate of 0.32 moves
    # the mean by 8.7 standard errors.
    assert abs(joined.mean() / rounds - rate) < 4 * (rate * (1 - rate) / (rounds * population)) ** 0.5
    variance = population * rate * (1 - rate)
    assert abs(np.var(sizes) / variance - 1) < 4 * (2 / rounds) ** 0.5
    assert np.abs(joined / rounds - rate).max() < 5 * (rate * (1 - rate) / rounds) ** 0.5


class Charges:
    """Keeps what was charged and for whom."""

    def __init__(self) -> None:
        self.events: list[tuple[PrivacyEvent | None, tuple[int, ...]]] = []

    def charge(self, round_: int, event: PrivacyEvent | None, draw: Draw) -> None:
        del round_
        self.events.append((event, tuple(draw.people)))

    def persist(self, state: HeadState, summary: RoundSummary) -> None:
        pass


@pytest.mark.parametrize(
    "assignments",
    [
        ("privacy.unit=user",),
        ("privacy.unit=user", "federation.cohort=6", "federation.sampling=poisson"),
        ("privacy.unit=user", "federation.cohort=6", "federation.sampling=fixed"),
        ("privacy.unit=event", "privacy.noise_at=client"),
        ("privacy.unit=event", "privacy.noise_at=server", "dropout=0.2"),
    ],
)
def test_the_same_events_are_charged_for_the_same_people(
    assignments: tuple[str, ...], small_world: Callable[..., World]
) -> None:
    charged, accounts = [], []
    for engine in ENGINES:
        settings = settings_of(
            *assignments,
            "privacy.delta=0.01",
            "federation.rounds=2",
            "training.adapter_steps=0",
            "federation.min_replies=0",
            f"engine={engine}",
        )
        federation = Federation.of(settings, small_world(len(PEOPLE), settings))
        journal = Charges()
        federation.train(federation.initial_state(), journal)
        charged.append(journal.events)
        accounts.append(federation.stores.charges)
    assert charged[0] == charged[1]
    assert len(charged[0]) == 2
    assert accounts[0] == accounts[1]
