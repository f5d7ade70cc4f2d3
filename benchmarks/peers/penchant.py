"""Penchant's cohort engine, driven as `penchant simulate` drives it: strategy, messages and Grid included."""

import argparse
from typing import Any, cast

import numpy as np
import torch

from benchmarks.conversation import Conversation
from benchmarks.federation import federation_of
from penchant.privacy.noise import CryptographicNoise, NoiseSource
from penchant.simulation.federation import Federation
from penchant.strategies import HeadState


class Silence:
    """Noise of zero: what is left is the arithmetic that all peers must share."""

    protects = False

    def standard_normal(self, size: int) -> Any:
        return np.zeros(size)


class NoJournal:
    """Keeps nothing: what is measured is training."""

    def charge(self, round_: int, event: object, draw: object) -> None:
        """Nothing is charged: no person is behind the data."""

    def persist(self, state: HeadState, summary: object) -> None:
        """Nothing is kept."""


options = argparse.ArgumentParser()
options.add_argument("work")
options.add_argument("--repeat", type=int, default=1, help="times that the work's people are repeated")
told = options.parse_args()
talk = Conversation()
work = talk.work
torch.set_num_threads(1)
noisy = True


class Measured(Federation):
    """A federation whose noise can be turned off, for the comparison of weights."""

    def noise(self, who: str, round_: int) -> NoiseSource:
        del who, round_
        return CryptographicNoise() if noisy else Silence()


federation = federation_of(work, Measured, repeat=told.repeat)
grid, roster = federation._grid()
for request in talk.requests():
    noisy = request.noisy
    state = HeadState(request.round, request.head, np.zeros_like(request.head), np.zeros_like(request.head))
    strategy = federation._strategy(state, NoJournal(), roster)
    messages = strategy.configure_train(request.round + 1, cast(Any, None), cast(Any, None), grid)
    strategy.aggregate_train(request.round + 1, grid.send_and_receive(messages))
    request.answer = strategy.state.head
