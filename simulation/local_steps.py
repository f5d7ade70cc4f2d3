"""Several local steps: each client's head moves on its own, so each needs its own copy."""

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from penchant.client.app import ClientPlan
from penchant.interest import HistoryLoss, Kept
from penchant.privacy.clip import clip
from penchant.simulation.projection import ProjectedCatalogue, Tensors
from penchant.types import Unit

_CLIENTS_AT_ONCE = 24


def updates_of_many_steps(
    plan: ClientPlan,
    catalogue: ProjectedCatalogue,
    events: Tensor,
    counted: Tensor,
    kept: Kept | None,
    *,
    bound: float,
) -> tuple[Tensor, int]:
    """Sum over people of (weights after the local steps - weights before), clipped under `user`: float64[n_shared].

    And how many of them lay within the bound before the clip.
    """
    lengths = counted.sum(1) + 1
    total, within = torch.zeros(plan.shared.size, dtype=torch.float64), 0
    for start in range(0, len(events), _CLIENTS_AT_ONCE):
        part = slice(start, start + _CLIENTS_AT_ONCE)
        left = None if kept is None else Kept(kept.events[part], kept.states[part])
        updates = _updates(plan, catalogue, events[part], lengths[part], left)
        if plan.guarantee.unit is Unit.USER:
            within += int((updates.norm(dim=1) <= bound).sum())
            clipped = clip(updates.cpu().numpy(), bound=bound)
            updates = torch.from_numpy(clipped.values.copy())
        total += updates.double().sum(0).cpu()
    return total, within


def _updates(
    plan: ClientPlan, catalogue: ProjectedCatalogue, events: Tensor, lengths: Tensor, kept: Kept | None
) -> Tensor:
    loss = HistoryLoss(plan.model)
    fixed = {f"model.{name}": values.detach() for name, values in plan.model.named_parameters()}
    fixed = {name: values.to(catalogue.device) for name, values in fixed.items()}

    def loss_of_person(weights: Tensors, history: Tensor, length: Tensor, left: Kept | None) -> Tensor:
        named = fixed | {f"model.{name}": values for name, values in weights.items()}
        named["model.item_vectors"] = catalogue.vectors
        left = None if left is None else Kept(left.events[None], left.states[None])
        result: Tensor = functional_call(
            loss, named, (history[None], length[None], catalogue.negatives, left)
        )
        return result.sum()

    weights = {name: values.expand(len(events), *values.shape) for name, values in catalogue.head.items()}
    for _ in range(plan.training.local_steps):
        gradients = vmap(grad(loss_of_person), in_dims=(0, 0, 0, None if kept is None else 0))(
            weights, events, lengths, kept
        )
        weights = {n: w - plan.training.local_learning_rate * gradients[n] for n, w in weights.items()}
    return torch.cat([(weights[n] - catalogue.head[n]).flatten(1) for n in plan.shared.names], dim=1)
