"""What training minimises, for one person or for a stack of them: the same code on a device and in a simulation."""

import torch
from torch import Tensor, nn

from penchant.interest.loss import next_item_loss
from penchant.interest.model import InterestModel
from penchant.types import NO_ITEM


class HistoryLoss(nn.Module):
    """Mean next-item loss of each history over its own events, so that each person weighs the same.

    events: int64[n, length], padded on the right; lengths: int64[n]; negatives: int64[c] or None for the catalogue.
    personal: through the adapter.  Returns float32[n]; a history of fewer than two events gives 0.
    """

    def __init__(self, model: InterestModel, *, personal: bool = False) -> None:
        super().__init__()
        self.model = model
        self.personal = personal

    def forward(self, events: Tensor, lengths: Tensor, negatives: Tensor | None) -> Tensor:
        interest = self.model(events[:, :-1], personal=self.personal)
        losses = next_item_loss(self.model, interest, events[:, 1:], negatives)
        counted = torch.arange(losses.shape[1], device=losses.device) < lengths[:, None] - 1
        return (losses * counted).sum(1) / counted.sum(1).clamp(min=1)


class ChunkLoss(nn.Module):
    """Mean next-item loss of each chunk: every event but the first, predicted from those before it in the same chunk.

    chunks: int64[n, length], whole, or all NO_ITEM, which gives 0.  Returns float32[n].
    """

    def __init__(self, model: InterestModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, chunks: Tensor, negatives: Tensor | None) -> Tensor:
        items = chunks.clamp(min=0)
        losses = next_item_loss(self.model, self.model(items[:, :-1]), items[:, 1:], negatives)
        return losses.mean(1) * (chunks[:, 0] != NO_ITEM)
