"""What training minimises, for one sample or a stack of them: the same on a device and in a simulation."""

import torch
from torch import Tensor, nn

from penchant.interest.dropout import Kept
from penchant.interest.loss import own_targets, softmax_loss
from penchant.interest.model import InterestModel
from penchant.types import NO_ITEM


class HistoryLoss(nn.Module):
    """Mean next-item loss of each history over its own events, so that each person weighs the same.

    events: int64[n, length], padded on the right; lengths: int64[n]; negatives: int64[c].
    kept: what this step leaves out.  personal: through the adapter.
    Returns float32[n]; a history of fewer than two events gives 0.
    """

    def __init__(self, model: InterestModel, *, personal: bool = False) -> None:
        super().__init__()
        self.model = model
        self.personal = personal

    def forward(self, events: Tensor, lengths: Tensor, negatives: Tensor, kept: Kept | None = None) -> Tensor:
        counted = torch.arange(events.shape[1] - 1, device=events.device) < lengths[:, None] - 1
        losses = _losses(self.model, events, counted, negatives, kept, personal=self.personal)
        return (losses * counted).sum(1) / counted.sum(1).clamp(min=1)


class ChunkLoss(nn.Module):
    """Mean next-item loss of each chunk: every event but the first, predicted from those before it in the same chunk.

    chunks: int64[n, length], whole, or all NO_ITEM, which gives 0.  Returns float32[n].
    """

    def __init__(self, model: InterestModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, chunks: Tensor, negatives: Tensor) -> Tensor:
        whole = chunks[:, :1] != NO_ITEM
        losses = _losses(self.model, chunks.clamp(min=0), whole.expand(-1, chunks.shape[1] - 1), negatives)
        return losses.mean(1) * whole[:, 0]


def _losses(
    model: InterestModel,
    events: Tensor,
    counted: Tensor,
    negatives: Tensor,
    kept: Kept | None = None,
    *,
    personal: bool = False,
) -> Tensor:
    """float32[n, length - 1]: each event but the first, predicted from those before it."""
    scores = model(events, negatives, kept, personal=personal)
    excluded = own_targets(events[:, 1:], counted, negatives, n_items=model.n_items)
    return softmax_loss(scores.right, scores.wrong, excluded, n_items=model.n_items)
