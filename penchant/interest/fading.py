"""Fading sums of past events: a matrix product within a block of positions, and one memory carried between blocks.

So time and memory grow with a history's length, not with its square.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

BLOCK: Final = 128
"""Positions in a block: fewer cost more calls, more cost more arithmetic."""


def fading_sum(events: Tensor, rate_logit: Tensor) -> Tensor:
    """float32[n, length, memories, width] -> float32[n, length, width].

    rate_logit: float32[memories], or float32[n, memories] for each row its own.
    """
    roots = _roots(events.shape[1], rate_logit)
    if events.shape[1] <= BLOCK:
        return _within(rate_logit, roots) @ events.flatten(1, 2)
    decay, carried = _decay(rate_logit), torch.zeros_like(events[:, 0])
    states: list[Tensor] = []
    for block, root in zip(events.split(BLOCK, dim=1), roots.split(BLOCK, dim=-1), strict=True):
        size = block.shape[1]
        before = (decay[..., 1 : size + 1] / root).transpose(-1, -2) @ carried
        states.append(before + _within(rate_logit, root) @ block.flatten(1, 2))
        kept = decay[..., :size].flip(-1).unsqueeze(-2) @ block.transpose(1, 2)
        carried = kept.squeeze(-2) + decay[..., size, None] * carried
    return torch.cat(states, dim=1)


def spread_back(by_state: Tensor, rate_logit: Tensor) -> Tensor:
    """Derivatives by the events, float32[n, length, memories, width], from those by `fading_sum`'s result.

    The sum is linear in the events, so this is its transpose.
    """
    n, length, width = by_state.shape
    roots = _roots(length, rate_logit)
    if length <= BLOCK:
        return (_within(rate_logit, roots).transpose(-1, -2) @ by_state).view(n, length, -1, width)
    decay, later = _decay(rate_logit), by_state.new_zeros(n, rate_logit.shape[-1], width)
    parts: list[Tensor] = []
    blocks = zip(by_state.split(BLOCK, dim=1), roots.split(BLOCK, dim=-1), strict=True)
    for block, root in reversed(list(blocks)):
        size = block.shape[1]
        within = (_within(rate_logit, root).transpose(-1, -2) @ block).unflatten(1, (size, -1))
        after = decay[..., 1 : size + 1].flip(-1)[..., None] * later.unsqueeze(-2)
        parts.append(within + after.transpose(1, 2))
        later = (decay[..., :size] / root) @ block + decay[..., size, None] * later
    return torch.cat(parts[::-1], dim=1)


def last_weights(length: int, rate_logit: Tensor) -> Tensor:
    """What the last position remembers of each: float32[memories, length]."""
    weights = _weights(torch.arange(length - 1, -1, -1, device=rate_logit.device), rate_logit)
    return weights / weights.sum(dim=-1, keepdim=True).sqrt()


def _weights(ages: Tensor, rate_logit: Tensor) -> Tensor:
    """float32[..., memories, *ages]."""
    log_rate = logsigmoid(rate_logit)
    return torch.exp(log_rate[(..., *[None] * ages.dim())] * ages)


def _decay(rate_logit: Tensor) -> Tensor:
    """Weight of an event of age 0 .. BLOCK: float32[..., memories, BLOCK + 1]."""
    return _weights(torch.arange(BLOCK + 1, device=rate_logit.device), rate_logit)


def _roots(length: int, rate_logit: Tensor) -> Tensor:
    """Root of the sum of all weights at each position: float32[..., memories, length]."""
    return _weights(torch.arange(length, device=rate_logit.device), rate_logit).cumsum(-1).sqrt()


def _within(rate_logit: Tensor, root: Tensor) -> Tensor:
    """What the positions of a block remember of its events: float32[..., size t, size s * memories], 0 for s > t."""
    steps = torch.arange(root.shape[-1], device=root.device)
    ages = steps[:, None] - steps[None, :]
    weights = _weights(ages.clamp(min=0), rate_logit) * (ages >= 0) / root[..., None]
    return weights.movedim(-3, -1).flatten(-2)
