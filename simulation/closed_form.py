"""The head's gradient for a stack of samples, without per-sample copies of the head.

Item vectors are frozen, so the catalogue is projected once a round: a sample gathers its rows, and only learned rates
of the history encoder are differentiated by autograd. Everything else is the softmax's gradient, written out. An item's
own residual is a one-hot item vector beside the text's, so both follow from the gradient by the items' places.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import embedding, pad

from penchant.interest import InterestModel, Kept
from penchant.interest.fading import fading_sum, spread_back
from penchant.simulation.linear import squared_norms
from penchant.simulation.own_items import OwnItems
from penchant.simulation.projection import HEAD, RATE, RESIDUAL, ProjectedCatalogue


@dataclass(frozen=True)
class SampleGradients:
    """What the gradients of n samples are made of.

    events: int64[n, length + 1].  states: float32[n, length, width].
    right: float32[n, length], wrong: float32[n, length, c]: derivatives by the scores of targets and negatives.
    by_state: float32[n, length, width], by_memory: float32[n, length, memories, width]: by the states before dropout,
    and by the places that the history's items have in the memories.  by_rate: float32[n, memories].
    """

    catalogue: ProjectedCatalogue
    events: Tensor
    states: Tensor
    right: Tensor
    wrong: Tensor
    by_state: Tensor
    by_memory: Tensor
    by_rate: Tensor

    @property
    def items(self) -> Tensor:
        return self.events[:, :-1]

    @property
    def targets(self) -> Tensor:
        return self.events[:, 1:]

    @cached_property
    def by_own(self) -> Tensor:
        """By the places of the events, the negatives apart: float32[n, length + 1, roles, width]."""
        return by_own_places(self.catalogue.model, self.by_memory, self.right.unsqueeze(-1), self.states)

    def norms(self) -> Tensor:
        """L2 norm of each sample's whole gradient: float32[n]."""
        model, head = self.catalogue.model, self.catalogue.head
        squares = self.by_state.sum(1).square().sum(1)
        squares = squares + model.prior_scale**2 * self._prior_squares()
        if HEAD in head:
            squares = squares + self._head_squares()
        if RESIDUAL in head:
            squares = squares + model.residual_scale**2 * self._residual_squares()
        if RATE in head:
            squares = squares + self.by_rate.square().sum(1)
        return squares.sqrt()

    @cached_property
    def _touched(self) -> OwnItems:
        return OwnItems(self.catalogue, self.events)

    def _prior_squares(self) -> Tensor:
        """Targets and negatives never meet in one sample; a target that comes twice is one parameter."""
        targets = self._touched.by_item(pad(self.right, (1, 0)).unsqueeze(-1))
        return self.wrong.sum(1).square().sum(1) + targets.square().sum((1, 2))

    def _head_squares(self) -> Tensor:
        """The head is used on the events and, through the scores of negatives, on what each state wished away."""
        wished_away, own = self.wrong @ self.catalogue.wrong_vectors, self.by_own.unbind(2)
        vectors = embedding(self.events, self.catalogue.vectors)
        squares = squared_norms([(vectors, own[0]), (wished_away, self.states)])
        return sum((squared_norms([(vectors, role)]) for role in own[1:]), squares)

    def _residual_squares(self) -> Tensor:
        """An item has one row for each role. Negatives differ from each other and from all targets of the sample."""
        by_item = self._touched.by_item(self.by_own.flatten(2))
        squares = squared_norms([(self.wrong, self.states)]) + by_item.square().sum((1, 2))
        if not self.catalogue.tied:
            return squares
        first = (self.events[:, :1] == self.catalogue.negatives).to(
            by_item.dtype
        )  # it may be no target at all
        met = ((self.wrong @ first.unsqueeze(-1)) * self.states).sum(1)
        return squares + 2 * (met * by_item[:, 0]).sum(1)


def sample_gradients(
    catalogue: ProjectedCatalogue, events: Tensor, counted: Tensor, kept: Kept | None = None
) -> SampleGradients:
    """Gradients of each sample's mean next-item loss.

    events: int64[n, length + 1], padded with any index; counted: bool[n, length], which targets count.
    """
    items, targets = events[:, :-1], events[:, 1:]
    states = catalogue.states(items, kept)
    right = (states * embedding(targets, catalogue.wishes)).sum(-1, keepdim=True)
    right += embedding(targets, catalogue.priors[:, None])
    wrong = states @ catalogue.wrong_wishes.T
    wrong += catalogue.wrong_priors
    excluded = catalogue.excluded(targets, counted)
    right, wrong = by_scores(right, wrong, excluded, counted)
    by_state = (wrong @ catalogue.wrong_wishes).addcmul_(right, embedding(targets, catalogue.wishes))
    if kept is not None:
        by_state = by_state * kept.states
    by_memory = spread_back(by_state, catalogue.rate_logit)
    if kept is not None:
        by_memory = by_memory * kept.events[..., None, None]
    if RATE in catalogue.head:
        by_rate = by_rates(catalogue.remembered(items, kept), catalogue.rate_logit, by_state)
    else:
        by_rate = by_state.new_zeros(len(items), len(catalogue.rate_logit))
    return SampleGradients(catalogue, events, states, right.squeeze(-1), wrong, by_state, by_memory, by_rate)


def by_own_places(model: InterestModel, by_memory: Tensor, right: Tensor, states: Tensor) -> Tensor:
    """Derivatives by the places of the events: as what is remembered, and as what was to come.

    right: float32[n, length, 1].  Returns float32[n, length + 1, roles, width].
    """
    n, length, width = states.shape
    places = states.new_zeros(n, length + 1, 1 + max(model.memory_roles), width)
    for memory, role in enumerate(model.memory_roles):
        places[:, :-1, role] += by_memory[:, :, memory]
    places[:, 1:, 0].addcmul_(right, states)
    return places


def by_rates(remembered: Tensor, rate_logit: Tensor, by_state: Tensor) -> Tensor:
    """Derivative of each sample's loss by the memories' rates: float32[n, memories].

    remembered: float32[n, length, memories, width].  rate_logit: float32[memories], or float32[n, memories].
    """
    rates = rate_logit.expand(len(remembered), -1).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(fading_sum(remembered, rates), rates, by_state)
    return gradient


def by_scores(right: Tensor, wrong: Tensor, excluded: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of each sample's mean loss by scores: of targets [n, length, 1], of negatives [n, length, c].

    wrong: with the correction for how they were drawn; overwritten.
    """
    wrong.masked_fill_(excluded[:, None], -torch.inf)
    top = torch.maximum(wrong.amax(-1, keepdim=True), right)
    wrong.sub_(top).exp_()
    right = (right - top).exp_()
    total = wrong.sum(-1, keepdim=True).add_(right)
    weight = (counted / counted.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
    wrong *= weight / total
    return (right / total - 1) * weight, wrong
