"""Where a cohort computes: the same result on a GPU; a wish that cannot be met is refused."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from penchant.errors import EnvironmentMissing
from penchant.simulation.federation import Federation, device_of
from penchant.simulation.settings import Device
from penchant.simulation.world import World
from tests.simulation.conftest import settings_of
from tests.simulation.flower_world import NoJournal

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no GPU on this machine")


def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device_of(wish) for wish in (Device.AUTO, Device.CUDA, Device.CPU)] == ["cuda", "cuda", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [device_of(wish) for wish in (Device.AUTO, Device.CPU)] == ["cpu", "cpu"]
    with pytest.raises(EnvironmentMissing, match="--device cpu"):
        device_of(Device.CUDA)


@needs_gpu
@pytest.mark.parametrize(
    "unit",
    [
        ("privacy.unit=none", "optimizer.learning_rate=0.05"),
        ("privacy.unit=none", "training.local_steps=2", "training.local_learning_rate=0.05"),
        ("privacy.unit=user", "model.residual_scale=3"),
        ("privacy.unit=event", "privacy.noise_at=client", "optimizer.learning_rate=0.1"),
    ],
)
def test_a_gpu_gives_the_same_head_and_adapters(
    unit: tuple[str, ...], small_world: Callable[..., World]
) -> None:
    trained = []
    for device in ("cpu", "cuda"):
        settings = settings_of(
            *unit, "federation.rounds=2", "optimizer.schedule=constant", f"device={device}"
        )
        federation = Federation.of(settings, small_world(50, settings))
        state = federation.train(federation.initial_state(), NoJournal())
        trained.append((state.head, federation.stores.adapters))
    for here, there in zip(*trained, strict=True):
        assert np.abs(here - there).max() < 1e-4
