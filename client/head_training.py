"""One client's update of the shared head where the unit is none or user: plain steps on the own history."""

import numpy as np
import torch

from penchant.config import TrainingSettings
from penchant.interest import HistoryLoss, InterestModel, Kept, TensorLayout
from penchant.types import F32, I32


def head_update(
    model: InterestModel,
    history: I32,
    *,
    layout: TensorLayout,
    settings: TrainingSettings,
    negatives: torch.Tensor,
    kept: Kept | None = None,
) -> F32:
    """Weights after `settings.local_steps` steps of gradient descent minus weights before.

    model: holds the head as received, and holds it again afterwards.  history: int32[n_events], in order of time.
    kept: what is left out of it, alike in each step.
    Returns float32[layout.size]. Every person's loss is a mean over the own events, so that each weighs the same.
    A history of fewer than two events has nothing to predict and gives zeros.
    """
    before = layout.read(model)
    events, lengths = one_history(history, settings.max_history)
    loss = HistoryLoss(model)
    parameters = layout.select(model)
    for _ in range(settings.local_steps):
        gradients = torch.autograd.grad(loss(events, lengths, negatives, kept).sum(), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(settings.local_learning_rate * gradient)
    update = layout.read(model) - before
    layout.write(model, before)
    return update


def one_history(history: I32, max_history: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The latest events as a stack of one: int64[1, length >= 2] and int64[1] how many of them count."""
    latest = history[-max_history:].astype(np.int64)
    padded = np.pad(latest, (0, max(0, 2 - len(latest))))
    return torch.from_numpy(padded)[None], torch.tensor([len(latest)])
