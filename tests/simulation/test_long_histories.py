"""Histories of one event and of thousands: the stack computes what each person's device would."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from penchant.rng import stream
from penchant.simulation.federation import Federation
from penchant.simulation.world import World
from tests.simulation.conftest import settings_of
from tests.simulation.flower_world import NoJournal
from tests.simulation.test_parity import Silence

LENGTHS = (1, 2, 3, 77, 5000)


class Largest(TorchDispatchMode):
    """Numbers in the largest tensor that was made."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(one, torch.Tensor):
                self.numbers = max(self.numbers, one.numel())
        return made


@pytest.mark.parametrize("case", [("user",), ("user", "training.local_steps=2"), ("event",)])
def test_one_event_and_five_thousand(case: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    unit, *steps = case
    generator = stream(0, "long histories")
    vectors = generator.standard_normal((60, 12)).astype(np.float32)
    histories = tuple(generator.integers(0, 60, length).astype(np.int32) for length in LENGTHS)
    world = SimpleNamespace(
        items=SimpleNamespace(vectors=vectors), histories=histories, n_people=len(LENGTHS), offered=None
    )
    monkeypatch.setattr(Federation, "noise", lambda *_: Silence())
    heads = []
    for engine in ("cohort", "flower"):
        settings = settings_of(
            f"privacy.unit={unit}",
            *steps,
            "privacy.delta=0.01",
            "model.width=4",
            "training.max_history=5000",
            "training.negatives=10",
            "training.adapter_steps=0",
            "federation.rounds=1",
            "optimizer.learning_rate=0.1",
            "optimizer.schedule=constant",
            f"engine={engine}",
        )
        federation = Federation.of(settings, cast(World, world))
        start = federation.initial_state()
        with Largest() as largest:
            heads.append(federation.train(start, NoJournal()).head - start.head)
        assert largest.numbers < 100 * max(LENGTHS), "something grows with the square of a history's length"
    assert np.abs(heads[0]).max() > 1e-4, "nothing was learned, so nothing was compared"
    assert np.abs(heads[0] - heads[1]).max() < 1e-5
