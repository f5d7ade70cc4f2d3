"""One client's update of the shared head where the unit is one interaction: Opacus on disjoint chunks of the history.

Why disjoint: an interaction may influence one clipped sample only. Overlapping windows would put it into many.
Why sensitivity is the clip bound and not twice that: neighbours differ in one interaction that is blanked in place, and
a chunk that is not whole contributes nothing, so the sum over chunks gains or loses one clipped gradient.
Nothing else about the history shows: neither the number of chunks (the sum is not divided by it), nor the adapter, nor
negatives that avoid the history.
"""

import warnings

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from penchant.client.private_optimizer import NoisyPrivacyEngine
from penchant.client.store import Charge
from penchant.interest import ChunkLoss, InterestModel, TensorLayout
from penchant.privacy.noise import NoiseSource
from penchant.types import F32, I32, I64, NO_ITEM

_CHUNKS_IN_MEMORY = 256


def disjoint_chunks(history: I32, length: int) -> I64:
    """int64[n_chunks, length]: event i lies in chunk i // length, whatever the other events are.

    A chunk that is not whole (it holds a blanked event, or the history ends in it) is left out. A client that has no
    whole chunk gets one of blanks alone, whose loss is zero: it sends noise like any other.
    """
    slots = history[: len(history) // length * length].astype(np.int64).reshape(-1, length)
    whole = slots[(slots != NO_ITEM).all(axis=1)]
    return whole if len(whole) else np.full((1, length), NO_ITEM, np.int64)


def private_chunk_update(
    model: InterestModel,
    chunks: I64,
    *,
    layout: TensorLayout,
    clip_bound: float,
    noise_multiplier: float,
    noise: NoiseSource | None,
    charges: tuple[Charge, ...],
    negatives: torch.Tensor,
) -> tuple[F32, tuple[Charge, ...]]:
    """Minus the sum over chunks of clipped gradients, plus Gaussian noise of noise_multiplier * clip_bound.

    noise: None leaves the noise to the server (`noise_multiplier` is then 0 here).
    Returns float32[layout.size] and the client's charges with this release added (Opacus' accountant, one for life).
    Guarantee: with noise, (epsilon, delta)-DP for zero-out of one interaction, priced by the returned charges, q = 1.
    Source: Abadi et al. 2016, arXiv:1607.00133; zero-out adjacency: Kairouz et al. 2021, arXiv:2103.00039.
    """
    before = layout.read(model)
    engine = NoisyPrivacyEngine(noise)
    engine.accountant.history = list(charges)
    data = TensorDataset(torch.from_numpy(chunks))
    private, optimizer, _ = engine.make_private(
        module=ChunkLoss(model),
        optimizer=torch.optim.SGD(layout.select(model), lr=1.0),
        data_loader=DataLoader(data, batch_size=len(chunks)),
        noise_multiplier=noise_multiplier,
        max_grad_norm=clip_bound,
        poisson_sampling=False,
        loss_reduction="sum",
    )
    try:
        for start in range(0, len(chunks), _CHUNKS_IN_MEMORY):
            batch = data[start : start + _CHUNKS_IN_MEMORY][0]
            optimizer.signal_skip_step(do_skip=start + _CHUNKS_IN_MEMORY < len(chunks))
            loss = private(batch, negatives).sum()
            with warnings.catch_warnings():
                warnings.filterwarnings(
                    "ignore", "Full backward hook is firing"
                )  # item indices need no gradient
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        update = layout.read(model) - before
    finally:
        private.remove_hooks()
        layout.write(model, before)
    return update, tuple(engine.accountant.history)
