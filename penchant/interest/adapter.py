"""The personal adapter: what stays on the client."""

import torch
from torch import Tensor, nn


class PersonalAdapter(nn.Module):
    """A user vector beside the history, and a low-rank residual on the item head.

    A new adapter changes nothing: the user vector and the second factor start at zero.
    Shapes: state float32[n, length, width], interest float32[n, length, dimension].
    """

    def __init__(self, width: int, dimension: int, rank: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.user = nn.Parameter(torch.zeros(width))
        self.down = nn.Parameter(torch.randn(width, rank, generator=generator) / width**0.5)
        self.up = nn.Parameter(torch.zeros(rank, dimension))

    def forward(self, state: Tensor, item_head: nn.Module) -> Tensor:
        """The person's interest: the head applied to the state, with what is personal added."""
        state = state + self.user
        interest: Tensor = item_head(state)
        return interest + state @ self.down @ self.up
