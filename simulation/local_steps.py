"""Several local steps: each client's head moves on its own, and is never formed.

A loss reads the head through the places of the own events and of the negatives; a step moves those by what their
vectors have in common. So a client is the sum of its gradients by those places: small, and exact.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from penchant.client.app import ClientPlan
from penchant.interest import Kept
from penchant.interest.fading import fading_sum, spread_back
from penchant.simulation.closed_form import by_own_places, by_rates, by_scores
from penchant.simulation.own_items import Local, OwnItems
from penchant.simulation.projection import RATE, ProjectedCatalogue


@dataclass(frozen=True)
class LocalSteps:
    """The head before the local steps less the head after them, of n clients, as gradients by what they touch."""

    items: OwnItems
    summed: Local

    @property
    def events(self) -> Tensor:
        return self.items.events

    def norms(self) -> Tensor:
        """L2 norm of each client's whole update: float32[n]."""
        pairs = zip(self.summed, self.items.moved(self.summed), strict=True)
        products = [(values * moved).flatten(1).sum(1) for values, moved in pairs]
        return torch.stack(products).sum(0).clamp(min=0).sqrt()


def local_steps(
    plan: ClientPlan, catalogue: ProjectedCatalogue, events: Tensor, counted: Tensor, kept: Kept | None
) -> LocalSteps:
    """Plain gradient steps on each client's mean next-item loss.  events, counted: as for `sample_gradients`."""
    items, rate = OwnItems(catalogue, events), plan.training.local_learning_rate
    start = items.start()
    excluded = catalogue.excluded(events[:, 1:], counted)
    summed = Local(*map(torch.zeros_like, start))
    for step in range(plan.training.local_steps):
        here = start if step == 0 else Local(*map(torch.sub, start, items.moved(summed)))
        gradients = _gradients(catalogue, here, excluded, counted, kept)
        summed = Local(*(old.add(new, alpha=rate) for old, new in zip(summed, gradients, strict=True)))
    return LocalSteps(items, summed)


def _gradients(
    catalogue: ProjectedCatalogue, here: Local, excluded: Tensor, counted: Tensor, kept: Kept | None
) -> Local:
    """Of each client's mean next-item loss."""
    model, learned = catalogue.model, RATE in catalogue.head
    own, rates = here.own.unflatten(2, (-1, model.width)), here.rate if learned else catalogue.rate_logit
    remembered, targets = own[:, :-1, model.memory_roles], own[:, 1:, 0]
    if kept is not None:
        remembered = remembered * kept.events[..., None, None]
    states = fading_sum(remembered, rates) + here.neutral[:, None]
    if kept is not None:
        states = states * kept.states
    right = (states * targets).sum(-1, keepdim=True) + here.own_priors[:, 1:, None]
    wrong = (states @ here.others).add_(here.other_priors[:, None])
    right, wrong = by_scores(right, wrong, excluded, counted)
    by_state = (wrong @ here.others.transpose(1, 2)).addcmul_(right, targets)
    if kept is not None:
        by_state = by_state * kept.states
    by_rate = by_rates(remembered, rates, by_state) if learned else torch.zeros_like(here.rate)
    by_memory = spread_back(by_state, rates)
    if kept is not None:
        by_memory = by_memory * kept.events[..., None, None]
    by_own = by_own_places(model, by_memory, right, states)
    return Local(
        by_own.flatten(2),
        states.transpose(1, 2) @ wrong,
        pad(right.squeeze(-1), (1, 0)),
        wrong.sum(1),
        by_state.sum(1),
        by_rate,
    )
