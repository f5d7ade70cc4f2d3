"""Next-item loss: which of the candidates came next?"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from penchant.interest.model import InterestModel


def next_item_loss(model: InterestModel, interest: Tensor, targets: Tensor, negatives: Tensor | None) -> Tensor:
    """Softmax cross-entropy of each target against the catalogue, or against negatives that stand for it.

    interest: float32[..., dimension]; targets: int64[...]; negatives: int64[c], drawn evenly from the catalogue, or None.
    Returns float32[...]. A negative that equals a row's own target is left out of that row, and nothing else is: to
    leave out more (say, what the person saw) would tell the model which items are the held-out ones.
    Negatives count as the whole catalogue would in expectation (the logQ correction for an even draw).
    Source: Bengio and Senécal 2008; Yi et al. 2019 (RecSys).
    """
    if negatives is None:
        scores = model.scores(interest)
        return F.cross_entropy(scores.flatten(0, -2), targets.flatten(), reduction="none").view(targets.shape)
    wrong = model.scores(interest, negatives) + math.log((model.n_items - 1) / len(negatives))
    wrong = wrong.masked_fill(targets.unsqueeze(-1) == negatives, -torch.inf)
    right = (interest * model.item_vectors[targets]).sum(-1, keepdim=True)
    return torch.logsumexp(torch.cat([right, wrong], dim=-1), dim=-1) - right.squeeze(-1)
