"""The head's gradient for a stack of samples, without per-sample copies of the head.

Item vectors are frozen, so the catalogue is projected once a round: a sample gathers its rows, and only learned rates
of the history encoder are differentiated by autograd. Everything else is the softmax's gradient, written out. An item's
own residual is a one-hot item vector beside the text's, so both follow from the gradient by the items' places.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from penchant.interest import InterestModel, Kept
from penchant.interest.history import fading_sum, fading_weights
from penchant.interest.loss import logq_correction, own_targets
from penchant.simulation.linear import squared_norms

Tensors = dict[str, Tensor]


HEAD, RESIDUAL, NEUTRAL, PRIOR, RATE = (
    "shared.head.weight",
    "shared.residual.weight",
    "shared.history.neutral",
    "shared.prior.weight",
    "shared.history.rate_logit",
)


@dataclass(frozen=True)
class ProjectedCatalogue:
    """The head applied to every item.

    wishes: float32[n_items, width]; memories: float32[n_items, memories, width]; priors: float32[n_items].
     head: the tensors that are trained; what a run keeps fixed is the model's own.
    """

    model: InterestModel
    head: Tensors
    negatives: Tensor
    wishes: Tensor
    memories: Tensor
    priors: Tensor

    @classmethod
    def of(cls, model: InterestModel, head: Tensors, negatives: Tensor) -> Self:
        places = model.item_vectors @ head.get(HEAD, model.shared.head.weight.detach()).T
        if RESIDUAL in head:
            places = places + model.residual_scale * head[RESIDUAL]
        places = places.unflatten(1, (-1, model.width))
        memories = places[:, model.memory_roles]
        return cls(model, head, negatives, places[:, 0], memories, model.prior_scale * head[PRIOR][:, 0])

    @property
    def rate_logit(self) -> Tensor:
        return self.head.get(RATE, self.model.shared.history.rate_logit.detach())

    def states(self, items: Tensor, kept: Kept | None = None) -> Tensor:
        """The history encoder after each item: float32[n, length, width]."""
        remembered = self.memories[items]
        if kept is None:
            return fading_sum(remembered, self.rate_logit) + self.head[NEUTRAL]
        remembered = remembered * kept.events[..., None, None]
        return (fading_sum(remembered, self.rate_logit) + self.head[NEUTRAL]) * kept.states


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

    @property
    def _tied(self) -> bool:
        return max(self.catalogue.model.memory_roles) == 0

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

    def _prior_squares(self) -> Tensor:
        """Targets and negatives never meet in one sample; a target that comes twice is one parameter."""
        return self.wrong.sum(1).square().sum(1) + _row_squares(self.targets, self.right.unsqueeze(-1))

    def _head_squares(self) -> Tensor:
        """The head is used on the history's items and, through the scores, on what each state wished for."""
        vectors = self.catalogue.model.item_vectors
        remembered = vectors[self.items]
        wished = (
            self.wrong @ vectors[self.catalogue.negatives] + self.right.unsqueeze(-1) * vectors[self.targets]
        )
        if self._tied:
            inputs = torch.cat([remembered, wished], dim=1)
            return squared_norms(inputs, torch.cat([self.by_memory.sum(2), self.states], dim=1))
        by_role = (squared_norms(remembered, by_memory) for by_memory in self.by_memory.unbind(2))
        return squared_norms(wished, self.states) + sum(by_role, torch.zeros(len(self.events)))

    def _residual_squares(self) -> Tensor:
        """An item has one row for each role. Negatives differ from each other and from all targets of the sample."""
        wished = self.right.unsqueeze(-1) * self.states
        negatives = squared_norms(self.wrong, self.states)
        if not self._tied:
            by_role = (_row_squares(self.items, by_memory) for by_memory in self.by_memory.unbind(2))
            return (
                negatives + _row_squares(self.targets, wished) + sum(by_role, torch.zeros(len(self.events)))
            )
        rows = torch.nn.functional.pad(self.by_memory.sum(2), (0, 0, 0, 1))
        rows = rows + torch.nn.functional.pad(wished, (0, 0, 1, 0))
        first = (self.events[:, :1] == self.catalogue.negatives).to(rows.dtype)  # it may be no target at all
        met = ((self.wrong @ first.unsqueeze(-1)) * self.states).sum(1)
        same_as_first = (self.events == self.events[:, :1]).to(rows.dtype).unsqueeze(-1)
        return negatives + _row_squares(self.events, rows) + 2 * (met * (same_as_first * rows).sum(1)).sum(1)

    def weighted_sum(self, weights: Tensor) -> Tensors:
        """Sum over samples of weight times gradient, in the head's shapes. weights: float32[n].

        The gradient by the items' places is gathered first, so that the item vectors are multiplied once, not once a
        sample.
        """
        model, head, negatives = self.catalogue.model, self.catalogue.head, self.catalogue.negatives
        right, wrong = weights[:, None] * self.right, weights[:, None, None] * self.wrong
        prior = torch.zeros(model.n_items).index_add_(0, negatives, wrong.sum((0, 1)))
        prior.index_add_(0, self.targets.flatten(), right.flatten())
        summed = {
            NEUTRAL: torch.einsum("n,nlw->w", weights, self.by_state),
            PRIOR: model.prior_scale * prior[:, None],
        }
        if RATE in head:
            summed[RATE] = weights @ self.by_rate
        if HEAD in head or RESIDUAL in head:
            places = self._by_places(right, wrong, weights[:, None, None, None] * self.by_memory)
            if HEAD in head:
                summed[HEAD] = places.T @ model.item_vectors
            if RESIDUAL in head:
                summed[RESIDUAL] = model.residual_scale * places
        return summed

    def _by_places(self, right: Tensor, wrong: Tensor, by_memory: Tensor) -> Tensor:
        """The weighted gradient by the items' places in all roles: float32[n_items, roles * width]."""
        model, negatives = self.catalogue.model, self.catalogue.negatives
        roles = 1 + max(model.memory_roles)
        places = torch.zeros(roles, model.n_items, model.width)
        places[0].index_add_(0, negatives, wrong.flatten(0, 1).T @ self.states.flatten(0, 1))
        places[0].index_add_(0, self.targets.flatten(), (right.unsqueeze(-1) * self.states).flatten(0, 1))
        for memory, role in enumerate(model.memory_roles):
            places[role].index_add_(0, self.items.flatten(), by_memory[:, :, memory].flatten(0, 1))
        return places.transpose(0, 1).flatten(1)


def sample_gradients(
    catalogue: ProjectedCatalogue, events: Tensor, counted: Tensor, kept: Kept | None = None
) -> SampleGradients:
    """Gradients of each sample's mean next-item loss.

    events: int64[n, length + 1], padded with any index; counted: bool[n, length], which targets count.
    """
    items, targets = events[:, :-1], events[:, 1:]
    states = catalogue.states(items, kept)
    wrong, right = _score_gradients(catalogue, states, targets, counted)
    by_state = wrong @ catalogue.wishes[catalogue.negatives] + right * catalogue.wishes[targets]
    if kept is not None:
        by_state = by_state * kept.states
    by_memory, by_rate = _through_history(catalogue, items, by_state, kept)
    return SampleGradients(catalogue, events, states, right.squeeze(-1), wrong, by_state, by_memory, by_rate)


def _through_history(
    catalogue: ProjectedCatalogue, items: Tensor, by_state: Tensor, kept: Kept | None
) -> tuple[Tensor, Tensor]:
    """Derivatives by what the memories hold, [n, length, memories, width], and by the rates, [n, memories]."""
    n, length = items.shape
    by_rate = torch.zeros(n, len(catalogue.rate_logit))
    if RATE in catalogue.head:
        rate = catalogue.rate_logit.expand(n, -1).clone().requires_grad_()
        remembered = catalogue.memories[items]
        if kept is not None:
            remembered = remembered * kept.events[..., None, None]
        (by_rate,) = torch.autograd.grad(fading_sum(remembered, rate), rate, by_state)
    weights = fading_weights(length, catalogue.rate_logit)
    by_memory = torch.einsum("mts,ntw->nsmw", weights, by_state)
    if kept is not None:
        by_memory = by_memory * kept.events[..., None, None]
    return by_memory, by_rate


def _row_squares(rows: Tensor, values: Tensor) -> Tensor:
    """Squared norm of each sample's gradient by a table of which it used some rows: float32[n].

    rows: int64[n, length]; values: float32[n, length, width]. A row that is used twice is one parameter.
    """
    same = rows[:, :, None] == rows[:, None, :]
    return ((values @ values.transpose(1, 2)) * same).sum((1, 2)).clamp(min=0)


def _score_gradients(
    catalogue: ProjectedCatalogue, states: Tensor, targets: Tensor, counted: Tensor
) -> tuple[Tensor, Tensor]:
    """Derivative of each sample's mean loss by scores: of negatives [n, length, c], of targets [n, length, 1]."""
    negatives, n_items = catalogue.negatives, catalogue.model.n_items
    excluded = own_targets(targets, counted, negatives, n_items=n_items)
    right = (states * catalogue.wishes[targets]).sum(-1, keepdim=True) + catalogue.priors[targets].unsqueeze(
        -1
    )
    wrong = states @ catalogue.wishes[negatives].T
    wrong += catalogue.priors[negatives] + logq_correction(len(negatives), n_items)
    wrong.masked_fill_(excluded[:, None], -torch.inf)
    top = torch.maximum(wrong.amax(-1, keepdim=True), right)
    wrong.sub_(top).exp_()
    right = (right - top).exp_()
    total = wrong.sum(-1, keepdim=True).add_(right)
    weight = (counted / counted.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
    wrong *= weight / total
    return wrong, (right / total - 1) * weight
