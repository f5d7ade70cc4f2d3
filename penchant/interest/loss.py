"""Next-item loss: which of the candidates came next?"""

import math

import torch
from torch import Tensor


def softmax_loss(right: Tensor, wrong: Tensor, excluded: Tensor, *, n_items: int) -> Tensor:
    """Cross-entropy of the right item's score against the scores of wrong ones.

    right: float32[n, length]; wrong: float32[n, length, c]; excluded: bool[n, c], negatives that are no wrong answer
    for sample n.  Returns float32[n, length].
    Negatives count as the whole catalogue would in expectation (the logQ correction for an even draw).
    Source: Bengio and Senécal 2008; Yi et al. 2019 (RecSys).
    """
    weighed = wrong + logq_correction(wrong.shape[-1], n_items)
    weighed = weighed.masked_fill(excluded[:, None], -torch.inf)
    return torch.logsumexp(torch.cat([right.unsqueeze(-1), weighed], dim=-1), dim=-1) - right


def logq_correction(n_negatives: int, n_items: int) -> float:
    """What to add to a negative's score so that it stands for its share of the catalogue: 0 for the whole."""
    return math.log(max(n_items - 1, 1) / max(n_negatives - (n_negatives == n_items), 1))


def own_targets(targets: Tensor, counted: Tensor, negatives: Tensor, *, n_items: int) -> Tensor:
    """Which negatives are among a sample's own targets: bool[n, c].

    targets: int64[n, length]; counted: bool[n, length], false for padding; negatives: int64[c].
    A sample is a history (unit none or user) or one chunk (event). Nothing else may be excluded: leaving out what the
    person did elsewhere, the held-out items among it, would teach the model which items those are.
    """
    marked = torch.zeros(len(targets), n_items + 1, dtype=torch.bool, device=targets.device)
    marked = marked.scatter(1, torch.where(counted, targets, n_items), True)
    return marked[:, negatives]
