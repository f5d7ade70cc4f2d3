"""The personal adapter: what stays on the client."""

import torch
from torch import Tensor, nn


class PersonalAdapter(nn.Module):
    """A user vector that is added to the state, and a low-rank residual on the head.

    A new adapter changes nothing: the user vector and the second factor start at zero. The residual is scaled
    by the item vectors' squared length, to learn no faster than the user vector: unscaled, it memorises the history.
    """

    def __init__(self, width: int, dimension: int, rank: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.user = nn.Parameter(torch.zeros(width))
        self.down = nn.Parameter(torch.randn(width, rank, generator=generator) / width**0.5)
        self.up = nn.Parameter(torch.zeros(rank, dimension))
        self.residual_scale = 1 / dimension

    def forward(self, states: Tensor) -> Tensor:
        """The residual's wish, a point among the item vectors: float32[..., width] -> float32[..., dimension]."""
        return self.residual_scale * ((states + self.user) @ self.down @ self.up)
