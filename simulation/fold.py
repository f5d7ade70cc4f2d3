"""Many samples' gradients as one sum."""

import torch
from torch import Tensor

from penchant.simulation.closed_form import SampleGradients
from penchant.simulation.local_steps import LocalSteps
from penchant.simulation.projection import HEAD, NEUTRAL, PRIOR, RATE, RESIDUAL, ProjectedCatalogue, Tensors


class FoldedSum:
    """A weighted sum of many samples' gradients, gathered by item: the item vectors are multiplied once, at the end.

    Memory does not grow with the number of samples. Fold a few thousand samples at most: it is held in float32.
    """

    def __init__(self, catalogue: ProjectedCatalogue) -> None:
        model, device = catalogue.model, catalogue.device
        roles = 1 + max(model.memory_roles)
        self._catalogue = catalogue
        self._places = torch.zeros(roles, model.n_items, model.width, device=device)
        self._prior = torch.zeros(model.n_items, device=device)
        self._neutral = torch.zeros(model.width, device=device)
        self._rate = torch.zeros(len(catalogue.rate_logit), device=device)

    def add(self, gradients: SampleGradients, weights: Tensor) -> None:
        """weights: float32[n]."""
        negatives, (n, length, c) = self._catalogue.negatives, gradients.wrong.shape
        wrong = gradients.wrong.view(n * length, c)
        each = weights[:, None].expand(n, length).reshape(-1)
        self._prior.index_add_(0, negatives, each @ wrong)
        self._prior.index_add_(
            0, gradients.targets.reshape(-1), (weights[:, None] * gradients.right).view(-1)
        )
        self._neutral += each @ gradients.by_state.view(n * length, -1)
        if RATE in self._catalogue.head:
            self._rate += weights @ gradients.by_rate
        if HEAD in self._catalogue.head or RESIDUAL in self._catalogue.head:
            self._add_places(gradients, weights[:, None, None])

    def add_steps(self, steps: LocalSteps, weights: Tensor) -> None:
        """What several local steps add up to.  weights: float32[n]."""
        negatives, summed, model = self._catalogue.negatives, steps.summed, self._catalogue.model
        events = steps.events.reshape(-1)
        self._prior.index_add_(0, negatives, weights @ summed.other_priors)
        self._prior.index_add_(0, events, (weights[:, None] * summed.own_priors).view(-1))
        self._neutral += weights @ summed.neutral
        self._rate += weights @ summed.rate
        others = (weights @ summed.others.flatten(1)).view(model.width, -1)
        self._places[0].index_add_(0, negatives, others.T)
        own = (weights[:, None, None] * summed.own).flatten(0, 1).unflatten(1, (-1, model.width))
        for role, rows in enumerate(own.unbind(1)):
            self._places[role].index_add_(0, events, rows)

    def _add_places(self, gradients: SampleGradients, weights: Tensor) -> None:
        states = weights * gradients.states
        wished = gradients.wrong.flatten(0, 1).T @ states.flatten(0, 1)
        self._places[0].index_add_(0, self._catalogue.negatives, wished)
        events = gradients.events.reshape(-1)
        for role, rows in enumerate(gradients.by_own.unbind(2)):
            self._places[role].index_add_(0, events, (weights * rows).flatten(0, 1))

    def tensors(self) -> Tensors:
        """The sum in the head's shapes, float64, on the CPU."""
        model, head = self._catalogue.model, self._catalogue.head
        places = self._places.transpose(0, 1).flatten(1)
        summed = {NEUTRAL: self._neutral, PRIOR: model.prior_scale * self._prior[:, None], RATE: self._rate}
        if HEAD in head:
            summed[HEAD] = places.T @ self._catalogue.vectors
        if RESIDUAL in head:
            summed[RESIDUAL] = model.residual_scale * places
        return {name: summed[name].double().cpu() for name in head}
