"""The head applied to the whole catalogue, once a round: what every stack of samples gathers its rows from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import torch
from torch import Tensor
from torch.nn.functional import embedding

from penchant.interest import InterestModel, Kept
from penchant.interest.history import fading_weights
from penchant.interest.loss import logq_correction

Tensors = dict[str, Tensor]

HEAD: Final = "shared.head.weight"
RESIDUAL: Final = "shared.residual.weight"
NEUTRAL: Final = "shared.history.neutral"
PRIOR: Final = "shared.prior.weight"
RATE: Final = "shared.history.rate_logit"


@dataclass(frozen=True)
class ProjectedCatalogue:
    """The head applied to every item.

    vectors: float32[n_items, dimension].  wishes: float32[n_items, width].
    memories: float32[n_items, memories, width].  priors: float32[n_items].
    head: the tensors that are trained; what a run keeps fixed is the model's own.  All on one device.
    """

    model: InterestModel
    head: Tensors
    negatives: Tensor
    vectors: Tensor
    wishes: Tensor
    memories: Tensor
    priors: Tensor

    @classmethod
    def of(cls, model: InterestModel, head: Tensors, negatives: Tensor, *, device: str = "cpu") -> Self:
        head = {name: values.to(device) for name, values in head.items()}
        vectors = model.item_vectors.to(device)
        places = vectors @ head.get(HEAD, model.shared.head.weight.detach().to(device)).T
        if RESIDUAL in head:
            places = places + model.residual_scale * head[RESIDUAL]
        places = places.unflatten(1, (-1, model.width))
        wishes, memories = places[:, 0].contiguous(), places[:, model.memory_roles].contiguous()
        priors = model.prior_scale * head[PRIOR][:, 0]
        return cls(model, head, negatives.to(device), vectors, wishes, memories, priors)

    @property
    def device(self) -> torch.device:
        return self.vectors.device

    @property
    def rate_logit(self) -> Tensor:
        return self.head.get(RATE, self.model.shared.history.rate_logit.detach().to(self.device))

    @property
    def tied(self) -> bool:
        return max(self.model.memory_roles) == 0

    @cached_property
    def wrong_wishes(self) -> Tensor:
        """float32[c, width]."""
        return self.wishes[self.negatives]

    @cached_property
    def wrong_priors(self) -> Tensor:
        """float32[c], with the correction for how the negatives were drawn."""
        return self.priors[self.negatives] + logq_correction(len(self.negatives), self.model.n_items)

    @cached_property
    def _slots(self) -> Tensor:
        """Where an item stands among the negatives, their number if nowhere: int64[n_items + 1]."""
        count = len(self.negatives)
        slots = torch.full((self.model.n_items + 1,), count, device=self.device)
        slots[self.negatives] = torch.arange(count, device=self.device)
        return slots

    def excluded(self, targets: Tensor, counted: Tensor) -> Tensor:
        """As `own_targets`, without a table of all items for each sample: bool[n, c]."""
        count = len(self.negatives)
        marked = torch.zeros(len(targets), count + 1, dtype=torch.bool, device=self.device)
        marked.scatter_(1, self._slots[torch.where(counted, targets, self.model.n_items)], True)
        return marked[:, :count]

    def remembered(self, items: Tensor, kept: Kept | None = None) -> Tensor:
        """What the memories take in: float32[n, length, memories, width]."""
        places: Tensor = embedding(items, self.memories.flatten(1)).unflatten(2, self.memories.shape[1:])
        return places if kept is None else places * kept.events[..., None, None]

    def states(self, items: Tensor, kept: Kept | None = None) -> Tensor:
        """The history encoder after each item: float32[n, length, width]."""
        states = self._fading(items.shape[1]) @ _stacked(self.remembered(items, kept)) + self.head[NEUTRAL]
        return states if kept is None else states * kept.states

    def by_memory(self, by_state: Tensor) -> Tensor:
        """Derivatives by what the memories take in, [n, length, memories, width], from those by the states."""
        n, length, width = by_state.shape
        return (self._fading(length).T @ by_state).view(n, length, -1, width)

    def _fading(self, length: int) -> Tensor:
        """What each position remembers: float32[length, length * memories]."""
        return fading_weights(length, self.rate_logit).movedim(0, -1).flatten(1)


def _stacked(remembered: Tensor) -> Tensor:
    """float32[n, length, memories, width] -> float32[n, length * memories, width]."""
    return remembered.flatten(1, 2)
