"""The personal adapters of many people, trained together; each sees only the own history."""

import torch
from torch import Tensor

from penchant.client.app import ClientPlan
from penchant.interest.loss import softmax_loss
from penchant.simulation.projection import ProjectedCatalogue
from penchant.types import F32


def train_stacked_adapters(
    catalogue: ProjectedCatalogue,
    adapters: F32,
    events: Tensor,
    counted: Tensor,
    *,
    plan: ClientPlan,
    steps: int,
) -> F32:
    """float32[n, n_personal] after `steps` gradient steps on each person's mean next-item loss, the head held fixed."""
    layout, training = plan.personal, plan.training
    items, targets = events[:, :-1], events[:, 1:]
    states = catalogue.states(items)
    excluded = catalogue.excluded(targets, counted)
    weight = counted / counted.sum(1, keepdim=True).clamp(min=1)
    flat = torch.from_numpy(adapters).to(catalogue.device)
    for _ in range(steps):
        flat = flat.detach().requires_grad_()
        own = layout.unstack(flat)
        right, wrong = _scores(catalogue, own, states, targets)
        losses = softmax_loss(right, wrong, excluded, n_items=catalogue.model.n_items)
        (gradient,) = torch.autograd.grad((losses * weight).sum(), flat)
        flat = flat.detach() - training.adapter_learning_rate * (
            gradient + training.adapter_weight_decay * flat.detach()
        )
    trained: F32 = flat.detach().cpu().numpy()
    return trained


def _scores(
    catalogue: ProjectedCatalogue, own: dict[str, Tensor], states: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores of targets [n, length] and negatives [n, length, c] through each person's adapter."""
    negatives, vectors = catalogue.negatives, catalogue.vectors
    moved = states + own["personal.user"][:, None]
    low = catalogue.model.personal.residual_scale * (moved @ own["personal.down"])
    right = (moved * catalogue.wishes[targets]).sum(-1) + catalogue.priors[targets]
    right = right + (low * (vectors[targets] @ own["personal.up"].transpose(1, 2))).sum(-1)
    wrong = moved @ catalogue.wishes[negatives].T + catalogue.priors[negatives]
    return right, wrong + low @ (own["personal.up"] @ vectors[negatives].T)
