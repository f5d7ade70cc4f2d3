"""The interest model: frozen item vectors, a shared transfer head and history encoder, a personal adapter.

    item vectors -> history_head -> history -> item_head (+ adapter) -> interest, a point among the item vectors
    score(item) = <interest, item vector>

Everything under `shared.` may travel; everything under `personal.` never does. Only layers that Opacus accepts.
"""

from typing import Final

import torch
from torch import Tensor, nn

from penchant.config import ModelSettings
from penchant.interest.adapter import PersonalAdapter
from penchant.interest.history import DecayHistory
from penchant.rng import torch_stream
from penchant.types import F32

SHARED: Final = "shared."
PERSONAL: Final = "personal."


class SharedHead(nn.Module):
    """The transfer head and the history encoder: a few thousand numbers that serve every person and catalogue."""

    def __init__(self, dimension: int, settings: ModelSettings) -> None:
        super().__init__()
        self.history_head = nn.Linear(dimension, settings.width, bias=False)
        self.history = DecayHistory(settings.width, settings.half_lives)
        self.item_head = nn.Linear(settings.width, dimension)

    def state(self, events: Tensor) -> Tensor:
        """float32[n, length, dimension] item vectors in order -> float32[n, length, width]."""
        encoded: Tensor = self.history(self.history_head(events))
        return encoded


class InterestModel(nn.Module):
    """Scores every item of a catalogue for a person at each point of the history."""

    item_vectors: Tensor

    def __init__(self, item_vectors: F32, settings: ModelSettings, *, seed: int) -> None:
        """item_vectors: float32[n_items, dimension], frozen, each component of about unit variance (whitened).

        They are scaled to about unit length. Weights depend on `seed` and the shapes alone.
        """
        super().__init__()
        dimension = item_vectors.shape[1]
        generator = torch_stream(seed, "model")
        self.register_buffer("item_vectors", torch.from_numpy(item_vectors) / dimension**0.5, persistent=False)
        self.shared = SharedHead(dimension, settings)
        self.personal = PersonalAdapter(settings.width, dimension, settings.adapter_rank, generator=generator)
        self._start_from_similarity(generator)

    def _start_from_similarity(self, generator: torch.Generator) -> None:
        """Begin as plain text similarity seen through a random projection, which already ranks better than chance."""
        projection = torch.randn(self.shared.history_head.weight.shape, generator=generator)
        projection = torch.linalg.qr(projection.T).Q.T if projection.shape[0] <= projection.shape[1] else projection
        with torch.no_grad():
            self.shared.history_head.weight.copy_(projection)
            self.shared.item_head.weight.copy_(projection.T)
            self.shared.item_head.bias.zero_()

    @property
    def n_items(self) -> int:
        return int(self.item_vectors.shape[0])

    def forward(self, items: Tensor, *, personal: bool = False) -> Tensor:
        """The interest after each event.

        items: int64[n, length], catalogue indices in order of time, padded on the right with any index.
        Returns float32[n, length, dimension]; row t has seen events 0..t alone, so padding changes no earlier row.
        """
        state = self.shared.state(self.item_vectors[items])
        if personal:
            interest: Tensor = self.personal(state, self.shared.item_head)
            return interest
        interest = self.shared.item_head(state)
        return interest

    def scores(self, interest: Tensor, candidates: Tensor | None = None) -> Tensor:
        """float32[..., n_candidates] of each interest against the candidates (int64[c]), or all items."""
        vectors = self.item_vectors if candidates is None else self.item_vectors[candidates]
        return interest @ vectors.T
