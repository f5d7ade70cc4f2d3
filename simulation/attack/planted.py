"""Mistakes to plant on purpose: an audit that does not find them has no power."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import torch

from penchant.client.private_optimizer import NoisyOptimizer
from penchant.errors import BadInput
from penchant.interest.counting import Contribution, item_counts, pair_counts
from penchant.privacy.noise import CryptographicNoise
from penchant.strategies import InterestStrategy
from penchant.strategies.wire import SummedUpdate
from penchant.types import F32, F64


class Mistake(StrEnum):
    """What is planted."""

    NO_NOISE = "no-noise"
    A_TENTH_OF_THE_NOISE = "tenth-noise"
    NO_CLIP = "no-clip"
    CLIP_AFTER_THE_MEAN = "clip-after-mean"
    SAME_NOISE_EACH_ROUND = "same-noise"


def mistake_named(name: str) -> Mistake:
    """Raises: BadInput with the names that are known."""
    try:
        return Mistake(name)
    except ValueError as error:
        raise BadInput(f"no mistake {name!r} to plant; known are {', '.join(Mistake)}") from error


@contextmanager
def planted(mistake: Mistake | None) -> Iterator[None]:
    """Run what is inside with the mistake in the production code; the ledger goes on charging as if there were none."""
    with ExitStack() as stack:
        for target, replacement in _REPLACED[mistake] if mistake else ():
            stack.enter_context(patch(target, replacement))
        yield


_draw: Final = CryptographicNoise.standard_normal
_add_noise: Final = InterestStrategy._released
_NOISE: Final = "penchant.privacy.noise.CryptographicNoise.standard_normal"
_CLIP: Final = "penchant.simulation.attack.canaries.clip"
_CLIP_OF_OPACUS: Final = "penchant.client.private_optimizer.NoisyOptimizer.clip_and_accumulate"


def _silence(_: CryptographicNoise, size: int) -> F64:
    return np.zeros(size)


def _whisper(self: CryptographicNoise, size: int) -> F64:
    return _draw(self, size) / 10


def _again(_: CryptographicNoise, size: int) -> F64:
    return np.random.default_rng(size).standard_normal(size)


def _unclipped(updates: F32, *, bound: float) -> Any:
    del bound
    return SimpleNamespace(values=np.atleast_2d(updates))


def _unclipped_gradients(self: NoisyOptimizer) -> None:
    """As Opacus', without the factor that shortens what is too long."""
    for parameter, samples in zip(self.params, self.grad_samples, strict=True):
        total = torch.sum(samples, dim=0)
        parameter.summed_grad = total if parameter.summed_grad is None else parameter.summed_grad + total


def _clip_the_mean(self: InterestStrategy, total: F64, round_: int) -> F64:
    """Shortens the mean, where each person's update should have been."""
    bound = self._clip_bound
    mean = total / self._expected
    mean *= min(1.0, bound / max(float(np.linalg.norm(mean)), 1e-12))
    return _add_noise(self, mean * self._expected, round_)


def _unscaled(counted: Callable[..., Contribution]) -> Callable[..., Contribution]:
    """As if a person's counts were not held to their length."""

    def longer(*args: Any) -> Contribution:
        honest = counted(*args)
        return honest._replace(weights=_LOUDER * honest.weights)

    return longer


def _admit_anything(_: InterestStrategy, update: SummedUpdate) -> F64:
    return update.values.astype(np.float64)


_LOUDER: Final = np.float32(10)
_Replaced = tuple[tuple[str, Callable[..., Any]], ...]

_COUNTS: Final[_Replaced] = (
    ("penchant.client.counting.item_counts", _unscaled(item_counts)),
    ("penchant.client.counting.pair_counts", _unscaled(pair_counts)),
    ("penchant.strategies.interest.InterestStrategy._bounded", _admit_anything),
)
"""The server refuses a sum that is longer than its people can make it: where clients forget, it must forget too."""

_REPLACED: Final[dict[Mistake, _Replaced]] = {
    Mistake.NO_NOISE: ((_NOISE, _silence),),
    Mistake.A_TENTH_OF_THE_NOISE: ((_NOISE, _whisper),),
    Mistake.SAME_NOISE_EACH_ROUND: ((_NOISE, _again),),
    Mistake.NO_CLIP: ((_CLIP, _unclipped), (_CLIP_OF_OPACUS, _unclipped_gradients), *_COUNTS),
    Mistake.CLIP_AFTER_THE_MEAN: (
        (_CLIP, _unclipped),
        (_CLIP_OF_OPACUS, _unclipped_gradients),
        *_COUNTS,
        ("penchant.strategies.interest.InterestStrategy._released", _clip_the_mean),
    ),
}
