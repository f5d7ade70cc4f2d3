"""The head applied to the whole catalogue, once a round: what every stack of samples gathers its rows from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import torch
from torch import Tensor
from torch.nn.functional import embedding

from penchant.interest import InterestModel, Kept
from penchant.interest.fading import fading_sum
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

    vectors: float32[n_items, dimension].  places: float32[n_items, roles * width], of which are
    wishes: float32[n_items, width], and memories: float32[n_items, memories, width].  priors: float32[n_items].
    head: the tensors that are trained; what a run keeps fixed is the model's own.  All on one device.
    """

    model: InterestModel
    head: Tensors
    negatives: Tensor
    vectors: Tensor
    places: Tensor
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
        by_role = places.unflatten(1, (-1, model.width))
        wishes, memories = by_role[:, 0].contiguous(), by_role[:, model.memory_roles].contiguous()
        priors = model.prior_scale * head[PRIOR][:, 0]
        return cls(model, head, negatives.to(device), vectors, places, wishes, memories, priors)

    @property
    def device(self) -> torch.device:
        return self.vectors.device

    @property
    def rate_logit(self) -> Tensor:
        return self.head.get(RATE, self.model.shared.history.rate_logit.detach().to(self.device))

    @property
    def neutral(self) -> Tensor:
        return self.head[NEUTRAL]

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
    def wrong_vectors(self) -> Tensor:
        """float32[c, dimension]."""
        return self.vectors[self.negatives]

    @cached_property
    def slots(self) -> Tensor:
        """Where an item stands among the negatives, their number if nowhere: int64[n_items + 1]."""
        count = len(self.negatives)
        slots = torch.full((self.model.n_items + 1,), count, device=self.device)
        slots[self.negatives] = torch.arange(count, device=self.device)
        return slots

    def excluded(self, targets: Tensor, counted: Tensor) -> Tensor:
        """As `own_targets`, without a table of all items for each sample: bool[n, c]."""
        count = len(self.negatives)
        marked = torch.zeros(len(targets), count + 1, dtype=torch.bool, device=self.device)
        marked.scatter_(1, self.slots[torch.where(counted, targets, self.model.n_items)], True)
        return marked[:, :count]

    def remembered(self, items: Tensor, kept: Kept | None = None) -> Tensor:
        """What the memories take in: float32[n, length, memories, width]."""
        places: Tensor = embedding(items, self.memories.flatten(1)).unflatten(2, self.memories.shape[1:])
        return places if kept is None else places * kept.events[..., None, None]

    def states(self, items: Tensor, kept: Kept | None = None) -> Tensor:
        """The history encoder after each item: float32[n, length, width]."""
        states = fading_sum(self.remembered(items, kept), self.rate_logit) + self.neutral
        return states if kept is None else states * kept.states
