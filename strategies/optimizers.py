"""Server optimizers as state in, state out, so that a run can resume."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from penchant.config import OptimizerSettings
from penchant.types import F32


@dataclass(frozen=True, slots=True)
class HeadState:
    """The shared head and what the optimizer remembers. All float32[n_shared].

    round: how many rounds made it.  clip_bound: of the next round's updates, where it follows them; None: it is fixed.
    """

    round: int
    head: F32
    first_moment: F32
    second_moment: F32
    clip_bound: float | None = None

    @classmethod
    def initial(cls, head: F32) -> Self:
        return cls(0, head, np.zeros_like(head), np.zeros_like(head))


def step(state: HeadState, update: F32, settings: OptimizerSettings, *, rounds: int) -> HeadState:
    """The next head after the round's mean update (a descent direction, float32[n_shared]).

    rounds: of the whole run, for the schedule.  Both moments are averages, corrected for their start at zero.
    fedavg: head += rate * m.  fedadam: head += rate * m / (sqrt(v) + floor).
    Source: Reddi et al. 2021, arXiv:2003.00295, Algorithm 2.
    """
    done = state.round + 1
    beta, gamma = np.float32(settings.momentum), np.float32(settings.second_moment)
    first = beta * state.first_moment + (1 - beta) * update
    second = gamma * state.second_moment + (1 - gamma) * update**2
    direction = first / (1 - beta**done)
    if settings.name == "fedadam":
        direction = direction / (np.sqrt(second / (1 - gamma**done)) + np.float32(settings.floor))
    head = state.head + np.float32(_rate(settings, state.round, rounds)) * direction
    moments = first.astype(np.float32), second.astype(np.float32)
    return HeadState(done, head.astype(np.float32), *moments, clip_bound=state.clip_bound)


def _rate(settings: OptimizerSettings, done: int, rounds: int) -> float:
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * (1 + math.cos(math.pi * min(done / rounds, 1))) / 2
