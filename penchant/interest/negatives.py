"""Wrong answers for the loss: drawn for the round, alike for everyone, so that they tell nothing about anyone."""

import torch

from penchant.rng import stream


def round_negatives(n_items: int, count: int, *, seed: int, round_: int) -> torch.Tensor | None:
    """int64[count] catalogue indices drawn evenly without replacement, or None for the whole catalogue.

    A function of public values alone. Guarantee: no history, no held-out item, and no exclusion enters the draw.
    """
    if count == 0 or count >= n_items:
        return None
    return torch.from_numpy(stream(seed, "negatives", round_).choice(n_items, size=count, replace=False))
