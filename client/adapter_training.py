"""The personal adapter, trained on the device after the head: what it learns never leaves."""

import torch

from penchant.client.head_training import one_history
from penchant.config import TrainingSettings
from penchant.interest import HistoryLoss, InterestModel, TensorLayout
from penchant.types import F32, I32


def train_adapter(
    model: InterestModel,
    adapter: F32,
    history: I32,
    *,
    layout: TensorLayout,
    steps: int,
    settings: TrainingSettings,
    negatives: torch.Tensor,
) -> F32:
    """The adapter after `steps` steps of gradient descent on the person's own next-item loss, the head held fixed.

    adapter: float32[layout.size].  history: int32[n_events], in order of time.  Returns float32[layout.size].
    """
    layout.write(model, adapter)
    parameters = layout.select(model)
    events, lengths = one_history(history, settings.max_history)
    loss = HistoryLoss(model, personal=True)
    for _ in range(steps):
        gradients = torch.autograd.grad(loss(events, lengths, negatives).sum(), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                pulled = gradient + settings.adapter_weight_decay * parameter
                parameter.sub_(settings.adapter_learning_rate * pulled)
    return layout.read(model)
