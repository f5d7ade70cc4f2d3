"""The server's optimizers are the known ones, and can stop and go on at any step."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from penchant.config import OptimizerSettings
from penchant.strategies import HeadState, step
from penchant.types import F32

ROUNDS = 12
GENERATOR = np.random.default_rng(7)
START: F32 = GENERATOR.normal(size=30).astype(np.float32)
UPDATES: list[F32] = [GENERATOR.normal(scale=0.1, size=30).astype(np.float32) for _ in range(ROUNDS)]
FEDAVG = OptimizerSettings(name="fedavg", learning_rate=0.7, momentum=0.9, schedule="constant")
FEDADAM = OptimizerSettings(
    name="fedadam", learning_rate=0.05, momentum=0.9, second_moment=0.99, floor=1e-4, schedule="constant"
)
ALL = [FEDAVG, FEDADAM, *(s.model_copy(update={"schedule": "cosine"}) for s in (FEDAVG, FEDADAM))]
IDS = ["fedavg", "fedadam", "fedavg, cosine", "fedadam, cosine"]


def _heads(settings: OptimizerSettings, rounds: int = ROUNDS) -> list[F32]:
    state, heads = HeadState.initial(START), []
    for update in UPDATES:
        state = step(state, update, settings, rounds=rounds)
        heads.append(state.head)
    return heads


def _references(settings: OptimizerSettings) -> list[F32]:
    """The same by torch: a descent on minus the updates."""
    weights = torch.nn.Parameter(torch.from_numpy(START.copy()))
    optimizer = _torch_optimizer(settings, weights)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=ROUNDS)
    heads = []
    for done, update in enumerate(UPDATES, start=1):
        weights.grad = torch.from_numpy(-update)
        rate = cosine.get_last_lr()[0] if settings.schedule == "cosine" else settings.learning_rate
        if (
            settings.name == "fedavg"
        ):  # torch sums gradients; a corrected average is that sum times this share
            rate *= (1 - settings.momentum) / (1 - settings.momentum**done)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        optimizer.param_groups[0]["lr"] = cosine.get_last_lr()[0]
        cosine.step()
        heads.append(weights.detach().numpy().copy())
    return heads


def _torch_optimizer(settings: OptimizerSettings, weights: torch.nn.Parameter) -> torch.optim.Optimizer:
    if settings.name == "fedavg":
        return torch.optim.SGD([weights], lr=settings.learning_rate, momentum=settings.momentum)
    betas = (settings.momentum, settings.second_moment)
    return torch.optim.Adam([weights], lr=settings.learning_rate, betas=betas, eps=settings.floor)


@pytest.mark.parametrize("settings", ALL, ids=IDS)
def test_each_step_is_that_of_torch(settings: OptimizerSettings) -> None:
    for ours, theirs in zip(_heads(settings), _references(settings), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def test_fedavg_without_momentum_adds_the_mean_update() -> None:
    plain = FEDAVG.model_copy(update={"momentum": 0.0, "learning_rate": 1.0})
    np.testing.assert_allclose(_heads(plain)[-1], START + np.sum(UPDATES, axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", ALL[2:], ids=IDS[2:])
def test_the_cosine_ends_near_zero_and_stays_there(settings: OptimizerSettings) -> None:
    state = HeadState.initial(START)
    moved = []
    for update in [*UPDATES, UPDATES[0], UPDATES[1]]:
        after = step(state, update, settings, rounds=ROUNDS)
        moved.append(float(np.linalg.norm(after.head - state.head)))
        state = after
    assert moved[ROUNDS - 1] < 0.1 * max(moved)
    assert moved[ROUNDS:] == [0, 0]


@pytest.mark.parametrize("settings", ALL, ids=IDS)
@pytest.mark.parametrize("stopped", [0, 1, 5, ROUNDS - 1])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(settings: OptimizerSettings, stopped: int) -> None:
    state = HeadState.initial(START)
    for update in UPDATES[:stopped]:
        state = step(state, update, settings, rounds=ROUNDS)
    stored = [state.head.tobytes(), state.first_moment.tobytes(), state.second_moment.tobytes()]
    head, first, second = (np.frombuffer(part, np.float32) for part in stored)
    resumed = HeadState(state.round, head, first, second)
    for update in UPDATES[stopped:]:
        resumed = step(resumed, update, settings, rounds=ROUNDS)
    assert resumed.round == ROUNDS
    assert resumed.head.tobytes() == _heads(settings)[-1].tobytes()


@pytest.mark.parametrize("settings", ALL, ids=IDS)
def test_a_step_changes_neither_its_state_nor_its_update(settings: OptimizerSettings) -> None:
    state, update = HeadState.initial(START.copy()), UPDATES[0].copy()
    kept = replace(state, head=state.head.copy())
    after = step(state, update, settings, rounds=ROUNDS)
    assert np.array_equal(state.head, kept.head)
    assert np.array_equal(update, UPDATES[0])
    assert not state.first_moment.any()
    assert {part.dtype for part in (after.head, after.first_moment, after.second_moment)} == {
        np.dtype("float32")
    }


@pytest.mark.parametrize("settings", ALL, ids=IDS)
def test_no_update_at_all_leaves_the_head_alone(settings: OptimizerSettings) -> None:
    state = step(HeadState.initial(START), np.zeros_like(START), settings, rounds=ROUNDS)
    assert np.array_equal(state.head, START)
