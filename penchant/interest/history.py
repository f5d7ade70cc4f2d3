"""The history encoder: what a person's past events say now, as fading memories."""

import torch
from torch import Tensor, nn

from penchant.interest.fading import fading_sum


class FadingHistory(nn.Module):
    """Sums of past events in which one of age a weighs rate**a, over the square root of the weights' sum.

    One memory for each half-life; what they remember adds up. The root lets a long history speak louder than a short
    one, but not in proportion. `neutral` is the state of someone without events. The rates are learned, or fixed at
    their half-lives where a private run should spend nothing on them.
    Guarantee: position t of the output depends on positions <= t of the input alone.
    Shape: float32[n, length, memories, width] -> float32[n, length, width].
    """

    def __init__(self, width: int, half_lives: tuple[float, ...], *, learned: bool) -> None:
        """half_lives: in events, each > 0."""
        super().__init__()
        self.neutral = nn.Parameter(torch.zeros(width))
        rates = torch.logit(torch.tensor([0.5 ** (1 / half_life) for half_life in half_lives]))
        self.rate_logit = nn.Parameter(rates, requires_grad=learned)

    def forward(self, events: Tensor) -> Tensor:
        return self.neutral + fading_sum(events, self.rate_logit)

    @property
    def half_lives(self) -> list[float]:
        """The half-lives in events, as learned so far."""
        rates = nn.functional.logsigmoid(self.rate_logit.detach())
        return (torch.log(torch.tensor(0.5)) / rates).tolist()
