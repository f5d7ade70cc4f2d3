"""The history encoder: what a person's past events say now, as a fading memory."""

import torch
from torch import Tensor, nn


class FadingHistory(nn.Module):
    """A sum of past events in which one of age a weighs rate**a, over the square root of the weights' sum.

    The root lets a long history speak louder than a short one, but not in proportion. `neutral` is the state of someone
    without events. The rate is learned, or fixed at its half-life where a private run should spend nothing on it.
    Guarantee: position t of the output depends on positions <= t of the input alone.
    Shape: float32[n, length, width] -> the same.
    """

    def __init__(self, width: int, half_life: float, *, learned: bool) -> None:
        """half_life: in events, > 0."""
        super().__init__()
        self.neutral = nn.Parameter(torch.zeros(width))
        rate = torch.logit(torch.tensor([0.5 ** (1 / half_life)]))
        self.rate_logit = nn.Parameter(rate, requires_grad=learned)

    def forward(self, events: Tensor) -> Tensor:
        return self.neutral + fading_sum(events, self.rate_logit)

    @property
    def half_life(self) -> float:
        """The half-life in events, as learned so far."""
        return float(torch.log(torch.tensor(0.5)) / nn.functional.logsigmoid(self.rate_logit.detach()))


def fading_sum(events: Tensor, rate_logit: Tensor) -> Tensor:
    """float32[n, length, width]. rate_logit: float32[1], or float32[n, 1] for each row its own."""
    length = events.shape[1]
    steps = torch.arange(length, device=events.device)
    ages = (steps[:, None] - steps[None, :]).to(events.dtype)
    log_rate = nn.functional.logsigmoid(rate_logit).unsqueeze(-1)
    weights = torch.exp(log_rate * ages.clamp(min=0)) * (ages >= 0)
    return (weights / weights.sum(dim=-1, keepdim=True).sqrt()) @ events
