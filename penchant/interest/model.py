"""The interest model: frozen item vectors, a shared transfer head and history encoder, a personal adapter.

    item vectors -> head -> places of the items in a space of interests
    places of a history -> history encoder (+ adapter) -> state, a point in that space
    score(item) = <state, place of the item> + prior of the item

Everything under `shared.` may travel; everything under `personal.` never does. Only layers that Opacus accepts.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from penchant.config import ModelSettings
from penchant.interest.adapter import PersonalAdapter
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

    `prior` is the one part that belongs to a catalogue: how much each item is liked by everyone.
    """

    def __init__(self, dimension: int, n_items: int, settings: ModelSettings) -> None:
        super().__init__()
        self.head = nn.Linear(dimension, settings.width, bias=False)
        self.history = FadingHistory(settings.width, settings.half_life, learned=settings.learn_half_life)
        self.prior = nn.Embedding(n_items, 1)


class InterestModel(nn.Module):
    """Scores items of a catalogue for a person at each point of the history."""

    item_vectors: Tensor

    def __init__(self, item_vectors: F32, settings: ModelSettings, *, seed: int) -> None:
        """item_vectors: float32[n_items, dimension], frozen, whitened, directions of large variance first.

        The head starts as the first `width` of those directions, so that it begins as similarity of texts, and the
        prior at zero. Weights depend on `seed`, the settings and the shapes alone.
        """
        super().__init__()
        n_items, dimension = item_vectors.shape
        self.prior_scale = settings.prior_scale
        self.register_buffer("item_vectors", torch.from_numpy(item_vectors), persistent=False)
        self.shared = SharedHead(dimension, n_items, settings)
        self.personal = PersonalAdapter(
            settings.width, dimension, settings.adapter_rank, generator=torch_stream(seed, "adapter")
        )
        with torch.no_grad():
            self.shared.prior.weight.zero_()
            self.shared.head.weight.copy_(torch.eye(settings.width, dimension) / settings.width**0.5)
        self.shared.head.weight.requires_grad_(settings.learn_head)

    @property
    def n_items(self) -> int:
        return int(self.item_vectors.shape[0])

    def forward(self, events: Tensor, negatives: Tensor, *, personal: bool = False) -> Scores:
        """Scores of what came next, and of the negatives, after each event but the last.

        events: int64[n, length + 1], catalogue indices in order of time, padded on the right with any index.
        negatives: int64[c].  Position t has seen events 0..t alone, so padding changes no earlier position.
        """
        n, length = events.shape[0], events.shape[1] - 1
        items = torch.cat([events, negatives.expand(n, -1)], dim=1)
        vectors = self.item_vectors[items]
        places = self.shared.head(vectors)
        priors = self.prior_scale * self.shared.prior(items).squeeze(-1)
        states = self.shared.history(places[:, :length])
        targets, others = slice(1, length + 1), slice(length + 1, None)
        right, wrong = priors[:, targets], priors[:, None, others]
        if personal:
            wish = self.personal(states)
            states = states + self.personal.user
            right = right + (wish * vectors[:, targets]).sum(-1)
            wrong = wrong + wish @ vectors[:, others].transpose(1, 2)
        right = right + (states * places[:, targets]).sum(-1)
        return Scores(right, wrong + states @ places[:, others].transpose(1, 2))
