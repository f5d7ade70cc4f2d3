"""Wrong answers for the loss: drawn for the round, alike for everyone, so that they tell nothing about anyone."""

import torch

from penchant.rng import stream


def round_negatives(n_items: int, count: int, *, seed: int, round_: int) -> torch.Tensor:
    """int64[c] catalogue indices drawn evenly without replacement; all of them where count is 0 or no less.

    A function of public values alone. Guarantee: no history, no held-out item, and no exclusion enters the draw.
    """
    if count == 0 or count >= n_items:
        return torch.arange(n_items)
    return torch.from_numpy(stream(seed, "negatives", round_).choice(n_items, size=count, replace=False))
