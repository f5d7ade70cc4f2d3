"""A run gives the same shared head and adapters on every engine."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penchant.privacy.noise import NoiseSource
from penchant.simulation.federation import Federation
from penchant.simulation.world import World
from penchant.types import F32, F64
from tests.simulation.conftest import settings_of
from tests.simulation.flower_world import NoJournal


class Silence:
    """Noise of zero: what is left is the arithmetic that engines must share."""

    protects = False

    def standard_normal(self, size: int) -> F64:
        return np.zeros(size)


def trained(world: World, *assignments: str, monkeypatch: pytest.MonkeyPatch) -> tuple[F32, F32, Any]:
    """The head, the adapters and the accounts after the rounds, without noise."""
    federation = Federation.of(settings_of(*assignments), world)

    def silent(self: Federation, who: str, round_: int) -> NoiseSource:
        return Silence()

    monkeypatch.setattr(Federation, "noise", silent)
    state = federation.train(federation.initial_state(), NoJournal())
    return state.head, federation.stores.adapters, federation.stores.charges


CASES = {
    "none": ("privacy.unit=none", "optimizer.learning_rate=0.05"),
    "none, many local steps": (
        "privacy.unit=none",
        "training.local_steps=3",
        "training.local_learning_rate=0.05",
    ),
    "none, fixed cohorts": (
        "privacy.unit=none",
        "federation.cohort=20",
        "federation.sampling=fixed",
        "optimizer.learning_rate=0.05",
    ),
    "none, whole catalogue, learned half-life": (
        "privacy.unit=none",
        "training.negatives=0",
        "model.learn_half_lives=true",
        "optimizer.name=fedadam",
        "optimizer.learning_rate=0.003",
        "optimizer.floor=0.001",
    ),
    "user": ("privacy.unit=user",),
    "user, many local steps": (
        "privacy.unit=user",
        "training.local_steps=2",
        "training.local_learning_rate=0.05",
    ),
    "user, the clip bound follows": (
        "privacy.unit=user",
        "privacy.clip_quantile=0.5",
        "privacy.clip_bound=0.05",
    ),
    "user, the clip bound follows, many local steps of everything that is learned": (
        "privacy.unit=user",
        "privacy.clip_quantile=0.5",
        "privacy.clip_bound=0.05",
        "training.local_steps=2",
        "training.local_learning_rate=0.05",
        "model.half_lives=[1.5, 13.0]",
        "model.learn_half_lives=true",
        "model.tied=false",
        "model.residual_scale=0.3",
        "training.event_dropout=0.2",
        "training.state_dropout=0.2",
    ),
    "user, noise at the client": ("privacy.unit=user", "privacy.noise_at=client"),
    "event at the client": ("privacy.unit=event", "privacy.noise_at=client", "optimizer.learning_rate=0.1"),
    "event at the server": ("privacy.unit=event", "privacy.noise_at=server", "optimizer.learning_rate=0.1"),
    "none, two memories, residuals, dropout": (
        "privacy.unit=none",
        "model.half_lives=[1.5, 13.0]",
        "model.tied=false",
        "model.residual_scale=0.3",
        "training.event_dropout=0.2",
        "training.state_dropout=0.2",
        "optimizer.learning_rate=0.05",
    ),
    "user, two memories, residuals, dropout": (
        "privacy.unit=user",
        "model.half_lives=[1.5, 13.0]",
        "model.tied=false",
        "model.residual_scale=3",
        "training.event_dropout=0.2",
        "training.state_dropout=0.2",
    ),
    "user, tied residuals": ("privacy.unit=user", "model.residual_scale=3", "model.half_lives=[1.5, 13.0]"),
    "user, many local steps, residuals, few items": (
        "privacy.unit=user",
        "training.negatives=16",
        "training.max_history=30",
        "model.residual_scale=1",
        "training.local_steps=2",
        "training.local_learning_rate=0.05",
    ),
    "event, residuals": (
        "privacy.unit=event",
        "privacy.noise_at=client",
        "optimizer.learning_rate=0.1",
        "model.residual_scale=3",
    ),
    "user, a third of the clients away": ("privacy.unit=user", "dropout=0.3"),
    "event at the client, a third away": (
        "privacy.unit=event",
        "privacy.noise_at=client",
        "optimizer.learning_rate=0.1",
        "dropout=0.3",
    ),
    "event, head kept": ("privacy.unit=event", "privacy.noise_at=client", "model.learn_head=false"),
}


@pytest.mark.parametrize("case", CASES)
def test_stacked_clients_compute_what_each_client_would(
    case: str, small_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = 50
    assignments = (*CASES[case], "federation.rounds=3", "optimizer.schedule=constant")
    world = small_world(people, settings_of(*assignments))
    before = Federation.of(settings_of(*assignments), world).initial_state().head
    one_by_one = trained(world, *assignments, "engine=flower", monkeypatch=monkeypatch)
    stacked = trained(world, *assignments, "engine=cohort", monkeypatch=monkeypatch)
    assert np.abs(stacked[0] - before).max() > 1e-3, "nothing was learned, so nothing was compared"
    assert np.abs(stacked[0] - one_by_one[0]).max() < 1e-5
    assert np.abs(stacked[1]).max() > 1e-3
    assert np.abs(stacked[1] - one_by_one[1]).max() < 1e-5
    assert stacked[2] == one_by_one[2]
