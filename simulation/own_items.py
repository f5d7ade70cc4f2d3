"""What a client's own gradient does to the places of the items that it touches, without a copy of the head.

A gradient G by the places of items is a gradient V'G by the head, V the items' vectors: a step along it moves the
places by V V'G = K G, K their Gram matrix, and has the squared norm <G, K G>. An item's own residual and prior are
moved wherever the item stands.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding, pad

from penchant.simulation.projection import HEAD, RATE, RESIDUAL, ProjectedCatalogue


class Local(NamedTuple):
    """What n clients' losses read of the head, or gradients by it, or how far it has moved.

    own: float32[n, events, roles * width], places of the events.  others: float32[n, width, c], of the negatives.
    own_priors: float32[n, events].  other_priors: float32[n, c], with the correction for how they were drawn.
    neutral: float32[n, width].  rate: float32[n, memories].
    """

    own: Tensor
    others: Tensor
    own_priors: Tensor
    other_priors: Tensor
    neutral: Tensor
    rate: Tensor


@dataclass(frozen=True)
class OwnItems:
    """The items that n clients touch: their own events, int64[n, events], and the round's negatives."""

    catalogue: ProjectedCatalogue
    events: Tensor

    def start(self) -> Local:
        """What everyone begins the round with."""
        catalogue, n = self.catalogue, len(self.events)
        return Local(
            embedding(self.events, catalogue.places),
            catalogue.wrong_wishes.T.expand(n, -1, -1),
            embedding(self.events, catalogue.priors[:, None]).squeeze(-1),
            catalogue.wrong_priors.expand(n, -1),
            catalogue.neutral.expand(n, -1),
            catalogue.rate_logit.expand(n, -1),
        )

    def moved(self, gradients: Local) -> Local:
        """How all of it moves along a gradient."""
        catalogue = self.catalogue
        model, width = catalogue.model, catalogue.model.width
        own, others = torch.zeros_like(gradients.own), torch.zeros_like(gradients.others)
        if HEAD in catalogue.head:
            own, others = self._through_the_head(gradients)
        if RESIDUAL in catalogue.head:
            wished, met = self._met(gradients.own[..., :width], gradients.others.transpose(1, 2))
            remembered = self._at_all_places(self.by_item(gradients.own[..., width:]))
            own = own.add(torch.cat([wished, remembered], -1), alpha=model.residual_scale**2)
            others = others.add(met.transpose(1, 2), alpha=model.residual_scale**2)
        priors, other_priors = self._met(gradients.own_priors[..., None], gradients.other_priors[..., None])
        return Local(
            own,
            others,
            model.prior_scale**2 * priors.squeeze(-1),
            model.prior_scale**2 * other_priors.squeeze(-1),
            gradients.neutral,
            gradients.rate * (RATE in catalogue.head),
        )

    def _through_the_head(self, gradients: Local) -> tuple[Tensor, Tensor]:
        """By whichever is smaller: the Gram matrix, or the gradient by the head."""
        if self.events.shape[1] + len(self.catalogue.negatives) < 2 * self.catalogue.vectors.shape[1]:
            return self._by_gram(gradients)
        width, wrong = self.catalogue.model.width, self.catalogue.wrong_vectors
        by_head = gradients.own.transpose(1, 2) @ self._vectors
        by_head[:, :width] += gradients.others @ wrong
        return self._vectors @ by_head.transpose(1, 2), by_head[:, :width] @ wrong.T

    def _by_gram(self, gradients: Local) -> tuple[Tensor, Tensor]:
        width = self.catalogue.model.width
        wrong = self.catalogue.wrong_vectors
        own = self._gram @ gradients.own
        own[..., :width] += self._gram_of_wrong @ gradients.others.transpose(1, 2)
        others = gradients.own[..., :width].transpose(1, 2) @ self._gram_of_wrong
        return own, others + gradients.others @ (wrong @ wrong.T)

    @cached_property
    def _vectors(self) -> Tensor:
        return embedding(self.events, self.catalogue.vectors)

    @cached_property
    def _gram(self) -> Tensor:
        """float32[n, events, events]."""
        return self._vectors @ self._vectors.transpose(1, 2)

    @cached_property
    def _gram_of_wrong(self) -> Tensor:
        """float32[n, events, c]."""
        return self._vectors @ self.catalogue.wrong_vectors.T

    def _met(self, own: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over all places of each item, events and negatives: at the events, and at the negatives."""
        summed = self.by_item(own)
        slots = self._slots[..., None].expand_as(summed)
        others = pad(others, (0, 0, 0, 1)).scatter_add(1, slots, summed)
        among = others.gather(1, slots)
        back = torch.where(self._slots[..., None] < others.shape[1] - 1, among, self._at_all_places(summed))
        return back, others[:, :-1]

    def by_item(self, values: Tensor) -> Tensor:
        """Sums over each item's places among the events, at the first of them; 0 at the others."""
        flat = values.flatten(0, 1)
        return torch.zeros_like(flat).index_add_(0, self._first, flat).view(values.shape)

    def _at_all_places(self, summed: Tensor) -> Tensor:
        return embedding(self._first, summed.flatten(0, 1)).view(summed.shape)

    @cached_property
    def _first(self) -> Tensor:
        """For each event, which event was the first with its item, all counted through: int64[n * events]."""
        n, count = self.events.shape
        items, order = self.events.sort(dim=1, stable=True)
        place = torch.arange(count, device=items.device).expand(n, -1)
        begins = torch.cat([items.new_ones(n, 1, dtype=torch.bool), items[:, 1:] != items[:, :-1]], 1)
        begin = torch.where(begins, place, 0).cummax(1).values
        first = torch.empty_like(order).scatter_(1, order, order.gather(1, begin))
        return (first + count * torch.arange(n, device=items.device)[:, None]).flatten()

    @cached_property
    def _slots(self) -> Tensor:
        return self.catalogue.slots[self.events]
