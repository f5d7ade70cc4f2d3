"""Server optimizers as pairs of state and step: state in, state out, so that a run can resume."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from penchant.config import OptimizerSettings
from penchant.types import F32


@dataclass(frozen=True, slots=True)
class HeadState:
    """The shared head and what the optimizer remembers. All float32[n_shared].

    round: how many rounds made it.
    """

    round: int
    head: F32
    first_moment: F32
    second_moment: F32

    @classmethod
    def initial(cls, head: F32) -> Self:
        return cls(0, head, np.zeros_like(head), np.zeros_like(head))


def step(state: HeadState, update: F32, settings: OptimizerSettings) -> HeadState:
    """The next head after the round's mean update (a descent direction, float32[n_shared]).

    fedavg: head += learning_rate * m, m = momentum * m + update.
    fedadam: Adam with bias correction on -update; Reddi et al. 2021, arXiv:2003.00295, Alg. 2.
    """
    if settings.name == "fedavg":
        momentum = settings.momentum * state.first_moment + update
        return HeadState(state.round + 1, state.head + settings.learning_rate * momentum, momentum, state.second_moment)
    t = state.round + 1
    m = settings.momentum * state.first_moment + (1 - settings.momentum) * update
    v = settings.second_moment * state.second_moment + (1 - settings.second_moment) * update**2
    direction = (m / (1 - settings.momentum**t)) / (np.sqrt(v / (1 - settings.second_moment**t)) + settings.floor)
    return HeadState(t, (state.head + settings.learning_rate * direction).astype(np.float32), m, v)
