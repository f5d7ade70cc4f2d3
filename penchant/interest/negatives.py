"""Wrong answers for the loss: drawn for the round, alike for everyone, so that they tell nothing about anyone."""

import torch

from penchant.rng import stream


def round_negatives(
    n_items: int, count: int, *, seed: int, round_: int, offered: torch.Tensor | None = None
) -> torch.Tensor:
    """int64[c] catalogue indices drawn evenly without replacement; all of them where count is 0 or no less.

    offered: int64[n_offered], the items that there are to choose from while training; None: the whole catalogue.

    A function of public values alone. Guarantee: no history, no held-out item, and no exclusion enters the draw.
    """
    everything = torch.arange(n_items) if offered is None else offered
    if count == 0 or count >= len(everything):
        return everything
    drawn = stream(seed, "negatives", round_).choice(len(everything), size=count, replace=False)
    return everything[torch.from_numpy(drawn)]
