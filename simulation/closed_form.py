"""The head's gradient for a stack of samples, without per-sample copies of the head.

Item vectors are frozen, so the catalogue is projected once a round: a sample gathers its rows, and only the small
history encoder is differentiated by autograd. Everything else is the softmax's gradient, written out.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from penchant.interest import InterestModel
from penchant.interest.history import fading_sum
from penchant.interest.loss import logq_correction, own_targets
from penchant.simulation.linear import squared_norms

Tensors = dict[str, Tensor]


HEAD, NEUTRAL, PRIOR, RATE = (
    "shared.head.weight",
    "shared.history.neutral",
    "shared.prior.weight",
    "shared.history.rate_logit",
)


@dataclass(frozen=True)
class ProjectedCatalogue:
    """The head applied to every item. places: float32[n_items, width]; priors: float32[n_items].

    head: the tensors that are trained; what a run keeps fixed is the model's own.
    """

    model: InterestModel
    head: Tensors
    negatives: Tensor
    places: Tensor
    priors: Tensor

    @classmethod
    def of(cls, model: InterestModel, head: Tensors, negatives: Tensor) -> Self:
        places = model.item_vectors @ head.get(HEAD, model.shared.head.weight.detach()).T
        return cls(model, head, negatives, places, model.prior_scale * head[PRIOR][:, 0])

    @property
    def rate_logit(self) -> Tensor:
        return self.head.get(RATE, self.model.shared.history.rate_logit.detach())

    def states(self, items: Tensor) -> Tensor:
        """The history encoder after each item: float32[n, length, width]."""
        return fading_sum(self.places[items], self.rate_logit) + self.head[NEUTRAL]


@dataclass(frozen=True)
class SampleGradients:
    """What the gradients of n samples are made of.

    items, targets: int64[n, length].  states: float32[n, length, width].
    right: float32[n, length], wrong: float32[n, length, c]: derivatives by the scores of targets and negatives.
    by_state, by_place: float32[n, length, width]: by the states, and by the places of the history's items.
    by_rate: float32[n, 1].
    """

    catalogue: ProjectedCatalogue
    items: Tensor
    targets: Tensor
    states: Tensor
    right: Tensor
    wrong: Tensor
    by_state: Tensor
    by_place: Tensor
    by_rate: Tensor

    def norms(self) -> Tensor:
        """L2 norm of each sample's whole gradient: float32[n]."""
        squares = self.by_state.sum(1).square().sum(1)
        squares = squares + self.catalogue.model.prior_scale**2 * self._prior_squares()
        if HEAD in self.catalogue.head:
            squares = squares + self._head_squares()
        if RATE in self.catalogue.head:
            squares = squares + self.by_rate.square().sum(1)
        return squares.sqrt()

    def _prior_squares(self) -> Tensor:
        """Targets and negatives never meet in one sample; a target that comes twice is one parameter."""
        same = self.targets[:, :, None] == self.targets[:, None, :]
        repeated = (self.right[:, :, None] * self.right[:, None, :] * same).sum((1, 2))
        return self.wrong.sum(1).square().sum(1) + repeated

    def _head_squares(self) -> Tensor:
        """The head is used on the history's items and, through the scores, on what each state wished for."""
        vectors = self.catalogue.model.item_vectors
        wished = (
            self.wrong @ vectors[self.catalogue.negatives] + self.right.unsqueeze(-1) * vectors[self.targets]
        )
        inputs = torch.cat([vectors[self.items], wished], dim=1)
        return squared_norms(inputs, torch.cat([self.by_place, self.states], dim=1))

    def weighted_sum(self, weights: Tensor) -> Tensors:
        """Sum over samples of weight times gradient, in the head's shapes. weights: float32[n].

        The head's part is gathered item by item first, so that the item vectors are multiplied once, not once a sample.
        """
        model, negatives = self.catalogue.model, self.catalogue.negatives
        right, wrong = weights[:, None] * self.right, weights[:, None, None] * self.wrong
        prior = torch.zeros(model.n_items).index_add_(0, negatives, wrong.sum((0, 1)))
        prior.index_add_(0, self.targets.flatten(), right.flatten())
        summed = {
            NEUTRAL: torch.einsum("n,nlw->w", weights, self.by_state),
            PRIOR: model.prior_scale * prior[:, None],
        }
        if RATE in self.catalogue.head:
            summed[RATE] = weights @ self.by_rate
        if HEAD in self.catalogue.head:
            places = torch.zeros_like(self.catalogue.places)
            places.index_add_(0, negatives, wrong.flatten(0, 1).T @ self.states.flatten(0, 1))
            places.index_add_(0, self.targets.flatten(), (right.unsqueeze(-1) * self.states).flatten(0, 1))
            places.index_add_(0, self.items.flatten(), (weights[:, None, None] * self.by_place).flatten(0, 1))
            summed[HEAD] = places.T @ model.item_vectors
        return summed


def sample_gradients(catalogue: ProjectedCatalogue, events: Tensor, counted: Tensor) -> SampleGradients:
    """Gradients of each sample's mean next-item loss.

    events: int64[n, length + 1], padded with any index; counted: bool[n, length], which targets count.
    """
    items, targets = events[:, :-1], events[:, 1:]
    places = catalogue.places[items].requires_grad_()
    rate = catalogue.rate_logit.expand(len(events), 1).clone().requires_grad_()
    remembered = fading_sum(places, rate)
    states = remembered.detach() + catalogue.head[NEUTRAL]
    wrong, right = _score_gradients(catalogue, states, targets, counted)
    by_state = wrong @ catalogue.places[catalogue.negatives] + right * catalogue.places[targets]
    by_place, by_rate = torch.autograd.grad(remembered, (places, rate), by_state)
    return SampleGradients(
        catalogue, items, targets, states, right.squeeze(-1), wrong, by_state, by_place, by_rate
    )


def _score_gradients(
    catalogue: ProjectedCatalogue, states: Tensor, targets: Tensor, counted: Tensor
) -> tuple[Tensor, Tensor]:
    """Derivative of each sample's mean loss by scores: of negatives [n, length, c], of targets [n, length, 1]."""
    negatives, n_items = catalogue.negatives, catalogue.model.n_items
    excluded = own_targets(targets, counted, negatives, n_items=n_items)
    right = (states * catalogue.places[targets]).sum(-1, keepdim=True) + catalogue.priors[targets].unsqueeze(
        -1
    )
    wrong = states @ catalogue.places[negatives].T
    wrong += catalogue.priors[negatives] + logq_correction(len(negatives), n_items)
    wrong.masked_fill_(excluded[:, None], -torch.inf)
    top = torch.maximum(wrong.amax(-1, keepdim=True), right)
    wrong.sub_(top).exp_()
    right = (right - top).exp_()
    total = wrong.sum(-1, keepdim=True).add_(right)
    weight = (counted / counted.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
    wrong *= weight / total
    return wrong, (right / total - 1) * weight
