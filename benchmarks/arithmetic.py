"""Multiplications and additions that one client's step costs, counted as a device computes it."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers._torch import histories_of, model_of, negatives_of
from benchmarks.work import Work
from penchant.interest import HistoryLoss, TensorLayout


def megaflops_per_client(work: Work, *, people: int = 20) -> float:
    """Mean over the first people, by PyTorch's counter: forward and backward, matrix products alone."""
    model, negatives = model_of(work), negatives_of(work, 0)
    loss, parameters = HistoryLoss(model), TensorLayout.shared(model).select(model)
    some = histories_of(work)[:people]
    with FlopCounterMode(display=False) as counter:
        for events, length in some:
            torch.autograd.grad(loss(events, length, negatives).sum(), parameters)
    return counter.get_total_flops() / len(some) / 1e6
