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

from penchant.interest import Kept
from penchant.interest.history import fading_sum
from penchant.simulation.linear import squared_norms
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
    def by_event(self) -> Tensor:
        """By the places of the events, where roles are tied and the negatives apart: float32[n, length + 1, width]."""
        single = self.by_memory.shape[2] == 1
        rows = pad(self.by_memory[:, :, 0] if single else self.by_memory.sum(2), (0, 0, 0, 1))
        rows[:, 1:].addcmul_(self.right.unsqueeze(-1), self.states)
        return rows

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
        vectors = self.catalogue.vectors
        remembered = embedding(self.items, vectors)
        wished = self.wrong @ vectors[self.catalogue.negatives]
        wished.addcmul_(self.right.unsqueeze(-1), embedding(self.targets, vectors))
        if self.catalogue.tied:
            inputs = torch.cat([remembered, wished], dim=1)
            return squared_norms(inputs, torch.cat([self.by_memory.sum(2), self.states], dim=1))
        by_role = (squared_norms(remembered, by_memory) for by_memory in self.by_memory.unbind(2))
        return squared_norms(wished, self.states) + sum(by_role, torch.zeros_like(self.by_rate[:, 0]))

    def _residual_squares(self) -> Tensor:
        """An item has one row for each role. Negatives differ from each other and from all targets of the sample."""
        wished = self.right.unsqueeze(-1) * self.states
        negatives = squared_norms(self.wrong, self.states)
        if not self.catalogue.tied:
            by_role = (_row_squares(self.items, by_memory) for by_memory in self.by_memory.unbind(2))
            return (
                negatives
                + _row_squares(self.targets, wished)
                + sum(by_role, torch.zeros_like(self.by_rate[:, 0]))
            )
        rows = self.by_event
        first = (self.events[:, :1] == self.catalogue.negatives).to(rows.dtype)  # it may be no target at all
        met = ((self.wrong @ first.unsqueeze(-1)) * self.states).sum(1)
        same_as_first = (self.events == self.events[:, :1]).to(rows.dtype).unsqueeze(-1)
        return negatives + _row_squares(self.events, rows) + 2 * (met * (same_as_first * rows).sum(1)).sum(1)


def sample_gradients(
    catalogue: ProjectedCatalogue, events: Tensor, counted: Tensor, kept: Kept | None = None
) -> SampleGradients:
    """Gradients of each sample's mean next-item loss.

    events: int64[n, length + 1], padded with any index; counted: bool[n, length], which targets count.
    """
    items, targets = events[:, :-1], events[:, 1:]
    states = catalogue.states(items, kept)
    wrong, right = _score_gradients(catalogue, states, targets, counted)
    by_state = (wrong @ catalogue.wrong_wishes).addcmul_(right, embedding(targets, catalogue.wishes))
    if kept is not None:
        by_state = by_state * kept.states
    by_memory, by_rate = _through_history(catalogue, items, by_state, kept)
    return SampleGradients(catalogue, events, states, right.squeeze(-1), wrong, by_state, by_memory, by_rate)


def _through_history(
    catalogue: ProjectedCatalogue, items: Tensor, by_state: Tensor, kept: Kept | None
) -> tuple[Tensor, Tensor]:
    """Derivatives by what the memories hold, [n, length, memories, width], and by the rates, [n, memories]."""
    by_rate = by_state.new_zeros(len(items), len(catalogue.rate_logit))
    if RATE in catalogue.head:
        rate = catalogue.rate_logit.expand(len(items), -1).clone().requires_grad_()
        (by_rate,) = torch.autograd.grad(fading_sum(catalogue.remembered(items, kept), rate), rate, by_state)
    by_memory = catalogue.by_memory(by_state)
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
    right = (states * embedding(targets, catalogue.wishes)).sum(-1, keepdim=True)
    right += embedding(targets, catalogue.priors[:, None])
    wrong = states @ catalogue.wrong_wishes.T
    wrong += catalogue.wrong_priors
    excluded = catalogue.excluded(targets, counted)
    wrong.masked_fill_(excluded[:, None], -torch.inf)
    top = torch.maximum(wrong.amax(-1, keepdim=True), right)
    wrong.sub_(top).exp_()
    right = (right - top).exp_()
    total = wrong.sum(-1, keepdim=True).add_(right)
    weight = (counted / counted.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
    wrong *= weight / total
    return wrong, (right / total - 1) * weight
