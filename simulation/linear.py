"""Norms of many samples' gradients through one linear layer, without the gradients.

A layer y = W x that sample n uses at `length` positions has the gradient sum_t g_nt x_nt^T.
Source of the norm identity: Goodfellow 2015, arXiv:1510.01799; Li et al. 2022, arXiv:2110.05679 ("ghost clipping").
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def squared_norms(parts: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Squared Frobenius norm of each sample's weight gradient: float32[n].

    parts: inputs float32[n, length, p] and output gradients float32[n, length, q]; they add up.
    Exact either way; takes the cheaper of the two products for these shapes.
    """
    (inputs, outputs), length = parts[0], sum(part.shape[1] for part, _ in parts)
    p, q = inputs.shape[2], outputs.shape[2]
    if length * (p + q) < p * q:
        inputs, outputs = (torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True))
        pairs = (inputs @ inputs.transpose(1, 2)) * (outputs @ outputs.transpose(1, 2))
        return pairs.sum((1, 2)).clamp(min=0)
    gradient = outputs.transpose(1, 2) @ inputs
    for inputs, outputs in parts[1:]:
        gradient.baddbmm_(outputs.transpose(1, 2), inputs)
    norms: Tensor = torch.linalg.vector_norm(gradient, dim=(1, 2))
    return norms.square()
