"""A bare PyTorch loop around one resident model: a gradient each, folded into one sum. No copies, no optimizer."""

import torch

from benchmarks.conversation import Conversation
from benchmarks.peers._torch import histories_of, model_of, negatives_of
from penchant.interest import HistoryLoss, TensorLayout

talk = Conversation()
work = talk.work
model = model_of(work)
layout = TensorLayout.shared(model)
loss, parameters, histories = HistoryLoss(model), layout.select(model), histories_of(work)
for request in talk.requests():
    layout.write(model, request.head)
    negatives = negatives_of(work, request.round)
    total = [torch.zeros_like(parameter) for parameter in parameters]
    for events, length in histories:
        gradients = torch.autograd.grad(loss(events, length, negatives).sum(), parameters)
        torch._foreach_add_(total, gradients)
    torch._foreach_mul_(total, -work.learning_rate / len(histories))
    request.answer = request.head + torch.cat([part.flatten() for part in total]).numpy()
