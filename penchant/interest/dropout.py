"""What one training step leaves out of a history, so that the head learns no person by heart."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from penchant.config import TrainingSettings


class Kept(NamedTuple):
    """Factors of a stack of histories: 0 where something is left out, else one over the chance to be kept.

    events: float32[n, length], of what the memories take in; states: float32[n, length, width].
    Source: Srivastava et al. 2014 (JMLR).
    """

    events: Tensor
    states: Tensor

    @classmethod
    def of(
        cls, settings: TrainingSettings, length: int, width: int, generator: np.random.Generator
    ) -> "Kept | None":
        """One history's own draw, a stack of one; None where nothing is left out."""
        if not (settings.event_dropout or settings.state_dropout):
            return None
        return cls(
            _factors((1, length), settings.event_dropout, generator),
            _factors((1, length, width), settings.state_dropout, generator),
        )

    @classmethod
    def stacked(cls, own: "list[Kept | None]", length: int) -> "Kept | None":
        """Draws of several histories as one stack, padded to `length`."""
        drawn = [kept for kept in own if kept is not None]
        if not drawn:
            return None
        missing = [length - kept.events.shape[1] for kept in drawn]
        pad = torch.nn.functional.pad
        return cls(
            torch.cat([pad(kept.events, (0, short)) for kept, short in zip(drawn, missing, strict=True)]),
            torch.cat(
                [pad(kept.states, (0, 0, 0, short)) for kept, short in zip(drawn, missing, strict=True)]
            ),
        )


def _factors(shape: tuple[int, ...], dropped: float, generator: np.random.Generator) -> Tensor:
    kept = generator.random(shape, dtype=np.float32) >= dropped
    return torch.from_numpy(kept.astype(np.float32) / np.float32(1 - dropped))
