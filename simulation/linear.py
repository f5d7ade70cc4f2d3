"""Norms of many samples' gradients through one linear layer, without the gradients.

A layer y = W x that sample n uses at `length` positions has the gradient sum_t g_nt x_nt^T.
Source of the norm identity: Goodfellow 2015, arXiv:1510.01799; Li et al. 2022, arXiv:2110.05679 ("ghost clipping").
"""

from torch import Tensor


def squared_norms(inputs: Tensor, output_gradients: Tensor) -> Tensor:
    """Squared Frobenius norm of each sample's weight gradient: float32[n].

    inputs: float32[n, length, p]; output_gradients: float32[n, length, q].
    Exact either way; takes the cheaper of the two products for these shapes.
    """
    length, p, q = inputs.shape[1], inputs.shape[2], output_gradients.shape[2]
    if length * (p + q) < p * q:
        pairs = (inputs @ inputs.transpose(1, 2)) * (output_gradients @ output_gradients.transpose(1, 2))
        return pairs.sum((1, 2)).clamp(min=0)
    return (output_gradients.transpose(1, 2) @ inputs).square().sum((1, 2))
