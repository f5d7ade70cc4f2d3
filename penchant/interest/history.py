"""The history encoder: what a person's past events say now, as learned exponential memories."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class DecayHistory(nn.Module):
    """Average of the past in which an event of age a weighs rate**a; each group of channels learns its own rate.

    Guarantees: position t of the output depends on positions <= t of the input alone; a constant history is its own
    average. Shape: float32[n, length, width] -> the same.
    """

    def __init__(self, width: int, half_lives: Sequence[float]) -> None:
        super().__init__()
        rates = torch.tensor([0.5 ** (1 / h) for h in half_lives], dtype=torch.float32)
        self.rate_logits = nn.Parameter(torch.logit(rates, eps=1e-4))
        self._group_width = width // len(half_lives)

    def forward(self, events: Tensor) -> Tensor:
        return self.average(events, self.rate_logits)

    def average(self, events: Tensor, rate_logits: Tensor) -> Tensor:
        """As `forward`, with the rates given: float32[groups], or float32[n, groups] for each row its own."""
        length = events.shape[1]
        ages = torch.arange(length, device=events.device)
        ages = (ages[:, None] - ages[None, :]).to(events.dtype)
        log_rates = nn.functional.logsigmoid(rate_logits)[..., None, None]
        weights = torch.exp(log_rates * ages.clamp(min=0)) * (ages >= 0)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        groups = events.unflatten(2, (-1, self._group_width)).transpose(1, 2)
        return (weights @ groups).transpose(1, 2).flatten(2)

    def half_lives(self) -> list[float]:
        """The learned half-lives, in events."""
        return [math.log(0.5) / math.log(r) for r in torch.sigmoid(self.rate_logits.detach()).tolist()]
