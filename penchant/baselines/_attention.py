"""The network of SASRec: causal self-attention over a history of items."""

import torch
from torch import Tensor, nn

from penchant.types import F32


class SelfAttention(nn.Module):
    """Item and place embeddings, causal transformer blocks, scores against the item embeddings.

    vectors: float32[n_items, any]; where given, an item's embedding is a learned vector plus a linear map of these.
    """

    def __init__(
        self,
        n_items: int,
        *,
        width: int,
        length: int,
        blocks: int,
        heads: int,
        dropout: float,
        vectors: F32 | None,
    ) -> None:
        super().__init__()
        self.items = nn.Parameter(0.02 * torch.randn(n_items, width))
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        self.bias = nn.Parameter(torch.zeros(n_items))
        self.text = None
        if vectors is not None:
            scaled = torch.from_numpy(vectors / vectors.std())
            self.register_buffer("vectors", scaled, persistent=False)
            self.text = nn.Linear(vectors.shape[1], width)
        block = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, blocks, nn.LayerNorm(width), enable_nested_tensor=False)
        self.dropout = nn.Dropout(dropout)
        self.scale = width**0.5

    def table(self) -> Tensor:
        """Every item's embedding: float32[n_items, width]."""
        if self.text is None:
            return self.items
        described: Tensor = self.text(self.get_buffer("vectors"))
        return self.items + described

    def forward(self, histories: Tensor, table: Tensor) -> Tensor:
        """int64[n, length] -> what each place asks for, float32[n, length, width]; n_items pads on the right."""
        padded = torch.cat([table, table.new_zeros(1, table.shape[1])])
        places = self.places[: histories.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(histories.shape[1])
        states = self.dropout(padded[histories] * self.scale + places)
        return torch.as_tensor(self.blocks(states, mask=mask, is_causal=True))
