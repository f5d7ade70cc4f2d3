"""What chance decides in a round, alike for everyone, so that it tells nothing about anyone."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from penchant.config import TrainingSettings
from penchant.rng import stream


@dataclass(frozen=True, slots=True)
class RoundDraw:
    """The round's wrong answers, and what it leaves out.

    negatives: int64[c], catalogue indices without repetition.
    item_keep: float32[n_items], what a memory multiplies an item by: 0 where this round leaves it out, else one over
    the chance to be kept.  state_keep: float32[width], the same for the states' coordinates.
    Guarantee of `of`: a function of public values alone. No history, no held-out item, no exclusion enters the draw.
    """

    negatives: Tensor
    item_keep: Tensor
    state_keep: Tensor

    @classmethod
    def of(cls, settings: TrainingSettings, *, n_items: int, width: int, seed: int, round_: int) -> Self:
        """Dropout is of whole items and coordinates, shared so that clients can be stacked.

        Source: Srivastava et al. 2014 (JMLR).
        """
        return cls(
            _negatives(n_items, settings.negatives, stream(seed, "negatives", round_)),
            _keep(n_items, settings.item_dropout, stream(seed, "item dropout", round_)),
            _keep(width, settings.state_dropout, stream(seed, "state dropout", round_)),
        )

    @classmethod
    def everything(cls, *, n_items: int, width: int) -> Self:
        """Every item is a wrong answer, nothing is left out."""
        return cls(torch.arange(n_items), torch.ones(n_items), torch.ones(width))

    def without_dropout(self) -> Self:
        """The same wrong answers, nothing left out: what an adapter trains on."""
        return replace(
            self, item_keep=torch.ones_like(self.item_keep), state_keep=torch.ones_like(self.state_keep)
        )


def _negatives(n_items: int, count: int, generator: np.random.Generator) -> Tensor:
    """int64[c] drawn evenly without replacement; all of them where count is 0 or no less."""
    if count == 0 or count >= n_items:
        return torch.arange(n_items)
    return torch.from_numpy(generator.choice(n_items, size=count, replace=False))


def _keep(size: int, dropped: float, generator: np.random.Generator) -> Tensor:
    kept = generator.random(size) >= dropped
    return torch.from_numpy((kept / (1 - dropped)).astype(np.float32))
