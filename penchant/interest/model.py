"""The interest model: frozen item vectors, a shared transfer head and history encoder, a personal adapter.

    item vectors -> head (+ the item's own residual) -> places of the items in a space of interests
    places of a history -> history encoder (+ adapter) -> state, a point in that space
    score(item) = <state, place of the item> + prior of the item

An item has a place for each role that it plays: to be wished for, and to be remembered in each memory of the history.
Where roles are tied, one place serves for all.

Everything under `shared.` may travel; everything under `personal.` never does. Only layers that Opacus accepts.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from penchant.config import ModelSettings
from penchant.interest.adapter import PersonalAdapter
from penchant.interest.dropout import Kept
from penchant.interest.history import FadingHistory
from penchant.rng import torch_stream
from penchant.types import F32

SHARED: Final = "shared."
PERSONAL: Final = "personal."


class Scores(NamedTuple):
    """right: float32[n, length], of each position's target; wrong: float32[n, length, c], of the negatives."""

    right: Tensor
    wrong: Tensor


class SharedHead(nn.Module):
    """What travels: a few thousand numbers that serve every person, and any item that a language model can read.

    Two parts belong to a catalogue: `prior`, how much each item is liked by everyone, and `residual`, what an item's
    company says of it beside its text.
    """

    def __init__(self, dimension: int, n_items: int, settings: ModelSettings) -> None:
        super().__init__()
        roles = 1 if settings.tied else 1 + len(settings.half_lives)
        self.head = nn.Linear(dimension, roles * settings.width, bias=False)
        self.history = FadingHistory(settings.width, settings.half_lives, learned=settings.learn_half_lives)
        self.prior = nn.Embedding(n_items, 1)
        if settings.residual_scale:
            self.residual = nn.Embedding(n_items, roles * settings.width)


class InterestModel(nn.Module):
    """Scores items of a catalogue for a person at each point of the history."""

    item_vectors: Tensor

    def __init__(self, item_vectors: F32, settings: ModelSettings, *, seed: int) -> None:
        """item_vectors: float32[n_items, dimension], frozen, whitened, directions of large variance first.

        Each role starts as the first `width` of those directions, so that the model begins as similarity of texts;
        residuals and priors start at zero. Weights depend on `seed`, the settings and the shapes alone.
        """
        super().__init__()
        n_items, dimension = item_vectors.shape
        self.width = settings.width
        self.prior_scale = settings.prior_scale
        self.residual_scale = settings.residual_scale
        memories = len(settings.half_lives)
        self.memory_roles = [0] * memories if settings.tied else list(range(1, 1 + memories))
        self.register_buffer("item_vectors", torch.from_numpy(item_vectors), persistent=False)
        self.shared = SharedHead(dimension, n_items, settings)
        self.personal = PersonalAdapter(
            settings.width, dimension, settings.adapter_rank, generator=torch_stream(seed, "adapter")
        )
        with torch.no_grad():
            self.shared.prior.weight.zero_()
            similarity = torch.eye(settings.width, dimension) / settings.width**0.5
            self.shared.head.weight.copy_(similarity.repeat(1 + max(self.memory_roles), 1))
            if self.residual_scale:
                self.shared.residual.weight.zero_()
        self.shared.head.weight.requires_grad_(settings.learn_head)

    @property
    def n_items(self) -> int:
        return int(self.item_vectors.shape[0])

    def places(self, items: Tensor) -> Tensor:
        """Where the items stand, in each role: int64[...] -> float32[..., roles, width]. Role 0 is to be wished for."""
        places = self.shared.head(self.item_vectors[items])
        if self.residual_scale:
            places = places + self.residual_scale * self.shared.residual(items)
        return torch.unflatten(places, -1, (-1, self.width))

    def priors(self, items: Tensor) -> Tensor:
        """float32[...]."""
        return self.prior_scale * torch.squeeze(self.shared.prior(items), -1)

    def forward(
        self, events: Tensor, negatives: Tensor, kept: Kept | None = None, *, personal: bool = False
    ) -> Scores:
        """Scores of what came next, and of the negatives, after each event but the last.

        events: int64[n, length + 1], catalogue indices in order of time, padded on the right with any index.
        negatives: int64[c].  kept: what this step leaves out; None: nothing.
        Position t has seen events 0..t alone, so padding changes no earlier position.
        """
        n, length = events.shape[0], events.shape[1] - 1
        items = torch.cat([events, negatives.expand(n, -1)], dim=1)
        places, priors = self.places(items), self.priors(items)
        remembered = places[:, :length, self.memory_roles]
        if kept is None:
            states = self.shared.history(remembered)
        else:
            states = self.shared.history(remembered * kept.events[..., None, None]) * kept.states
        targets, others = slice(1, length + 1), slice(length + 1, None)
        right, wrong = priors[:, targets], priors[:, None, others]
        if personal:
            vectors = self.item_vectors[items]
            wish = self.personal(states)
            states = states + self.personal.user
            right = right + (wish * vectors[:, targets]).sum(-1)
            wrong = wrong + wish @ vectors[:, others].transpose(1, 2)
        right = right + (states * places[:, targets, 0]).sum(-1)
        return Scores(right, wrong + states @ places[:, others, 0].transpose(1, 2))
