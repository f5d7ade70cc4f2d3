"""Clients that are away: the same on every engine, and never in the denominator."""

from collections.abc import Callable

import numpy as np
import pytest

from penchant.simulation.absence import schedule
from penchant.simulation.federation import Federation
from penchant.simulation.world import World
from penchant.strategies import RoundAborted
from penchant.strategies.wire import TrainRequest
from tests.simulation.conftest import settings_of
from tests.simulation.flower_world import NoJournal

PLAIN = (
    "privacy.unit=none",
    "federation.rounds=1",
    "optimizer.learning_rate=0.05",
    "optimizer.schedule=constant",
)


def test_each_is_away_by_chance_and_the_seed_decides() -> None:
    people, rounds, rate = 2000, 20, 0.3
    away = [schedule(rate, n_people=people, seed=1)(round_) for round_ in range(rounds)]
    again = [schedule(rate, n_people=people, seed=1)(round_) for round_ in range(rounds)]
    assert away == again
    assert schedule(rate, n_people=people, seed=2)(0) != away[0]
    share = np.mean([len(one) for one in away]) / people
    # Four standard errors: a wrong rate passes by chance once in 16,000; one that is off by 0.02 is missed as seldom.
    assert abs(share - rate) < 4 * (rate * (1 - rate) / (people * rounds)) ** 0.5
    together = len(away[0] & away[1]) / people
    assert abs(together - rate**2) < 0.04, "rounds depend on each other"


def test_nobody_is_away_unless_it_is_said() -> None:
    assert schedule(0.0, n_people=10, seed=1)(1) == frozenset()


def test_the_mean_is_over_everyone_who_was_expected(small_world: Callable[..., World]) -> None:
    settings = settings_of(*PLAIN, "dropout=0.4", "optimizer.momentum=0.0")
    world = small_world(30, settings)
    federation = Federation.of(settings, world)
    start = federation.initial_state()
    away = schedule(0.4, n_people=30, seed=settings.seed)(1)
    assert 0 < len(away) < 30
    there = tuple(person for person in range(30) if person not in away)
    alone = Federation.of(settings_of(*PLAIN), world)._engine().answer(TrainRequest(1, start.head, there))
    after = federation.train(start, NoJournal())
    assert np.allclose(after.head - start.head, 0.05 * alone.values / 30, atol=1e-7)
    untouched = [
        np.array_equal(federation.stores.adapters[p], federation.stores.adapters[min(away)]) for p in away
    ]
    assert all(untouched), "someone who was away trained"


@pytest.mark.parametrize("engine", ["cohort", "flower"])
def test_too_few_answers_abort_the_round(engine: str, small_world: Callable[..., World]) -> None:
    settings = settings_of(*PLAIN, "dropout=0.97", f"engine={engine}")
    federation = Federation.of(settings, small_world(20, settings))
    with pytest.raises(RoundAborted, match="min_replies"):
        federation.train(federation.initial_state(), NoJournal())
