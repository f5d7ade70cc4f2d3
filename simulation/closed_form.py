"""The head's gradient for a stack of samples, without per-sample copies of the head.

Item vectors are frozen, so the catalogue is projected once a round: a sample gathers its rows, and only the small
history encoder is differentiated by autograd. Everything else is the softmax's gradient, written out.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from penchant.interest import InterestModel
from penchant.interest.loss import logq_correction, own_targets
from penchant.simulation.linear import squared_norms, weighted_gradient

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class ProjectedCatalogue:
    """The head applied to every item. inputs, outputs: float32[n_items, width]; bias: float32[n_items]."""

    model: InterestModel
    head: Tensors
    negatives: Tensor
    inputs: Tensor
    outputs: Tensor
    bias: Tensor

    @classmethod
    def of(cls, model: InterestModel, head: Tensors, negatives: Tensor) -> Self:
        vectors = model.item_vectors
        return cls(
            model,
            head,
            negatives,
            inputs=vectors @ head["shared.history_head.weight"].T,
            outputs=vectors @ head["shared.item_head.weight"],
            bias=vectors @ head["shared.item_head.bias"],
        )

    def states(self, items: Tensor) -> Tensor:
        """The history encoder after each item: float32[n, length, width]."""
        rates = self.head["shared.history.rate_logits"]
        return self.model.shared.history.average(self.inputs[items], rates)


@dataclass(frozen=True)
class SampleGradients:
    """What the gradients of n samples are made of; each layer's gradient is output_gradient^T input, summed over time.

    items: int64[n, length]; states, state_inputs_gradient: float32[n, length, width];
    interest_gradient: float32[n, length, dimension]; rates_gradient: float32[n, groups].
    """

    catalogue: ProjectedCatalogue
    items: Tensor
    states: Tensor
    interest_gradient: Tensor
    inputs_gradient: Tensor
    rates_gradient: Tensor

    def norms(self) -> Tensor:
        """L2 norm of each sample's whole gradient: float32[n]."""
        squares = squared_norms(self.states, self.interest_gradient)
        squares = squares + self.interest_gradient.sum(1).square().sum(1)
        squares = squares + squared_norms(self._vectors(), self.inputs_gradient)
        return (squares + self.rates_gradient.square().sum(1)).sqrt()

    def weighted_sum(self, weights: Tensor) -> Tensors:
        """Sum over samples of weight times gradient, in the head's shapes. weights: float32[n]."""
        return {
            "shared.history_head.weight": weighted_gradient(self._vectors(), self.inputs_gradient, weights),
            "shared.history.rate_logits": weights @ self.rates_gradient,
            "shared.item_head.weight": weighted_gradient(self.states, self.interest_gradient, weights),
            "shared.item_head.bias": weights @ self.interest_gradient.sum(1),
        }

    def _vectors(self) -> Tensor:
        return self.catalogue.model.item_vectors[self.items]


def sample_gradients(catalogue: ProjectedCatalogue, events: Tensor, counted: Tensor) -> SampleGradients:
    """Gradients of each sample's mean next-item loss.

    events: int64[n, length + 1], padded with any index; counted: bool[n, length], which targets count.
    """
    items, targets = events[:, :-1], events[:, 1:]
    inputs = catalogue.inputs[items].requires_grad_()
    rates = catalogue.head["shared.history.rate_logits"].expand(len(events), -1).clone().requires_grad_()
    states = catalogue.model.shared.history.average(inputs, rates)
    wrong, right = _score_gradients(catalogue, states.detach(), targets, counted)
    vectors = catalogue.model.item_vectors
    state_gradient = wrong @ catalogue.outputs[catalogue.negatives] + right * catalogue.outputs[targets]
    interest_gradient = wrong @ vectors[catalogue.negatives] + right * vectors[targets]
    inputs_gradient, rates_gradient = torch.autograd.grad(states, (inputs, rates), state_gradient)
    return SampleGradients(catalogue, items, states.detach(), interest_gradient, inputs_gradient, rates_gradient)


def _score_gradients(
    catalogue: ProjectedCatalogue, states: Tensor, targets: Tensor, counted: Tensor
) -> tuple[Tensor, Tensor]:
    """Derivative of each sample's mean loss by the scores of the negatives [n, length, c] and the target [n, length, 1]."""
    negatives, n_items = catalogue.negatives, catalogue.model.n_items
    excluded = own_targets(targets, counted, negatives, n_items=n_items)
    right = (states * catalogue.outputs[targets]).sum(-1, keepdim=True) + catalogue.bias[targets].unsqueeze(-1)
    wrong = states @ catalogue.outputs[negatives].T
    wrong += catalogue.bias[negatives] + logq_correction(len(negatives), n_items)
    wrong.masked_fill_(excluded[:, None], -torch.inf)
    top = torch.maximum(wrong.amax(-1, keepdim=True), right)
    wrong.sub_(top).exp_()
    right = (right - top).exp_()
    total = wrong.sum(-1, keepdim=True).add_(right)
    weight = (counted / counted.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)
    wrong *= weight / total
    return wrong, (right / total - 1) * weight
