"""How item texts become vectors."""

from typing import Literal

from pydantic import Field

from penchant.config import Settings


class EncoderSettings(Settings):
    """The frozen text encoder, and the basis that its vectors are given in."""

    model: str | None = None
    """A model folder or a hub name; null takes the MiniLM installed with Penchant, which needs no network."""

    pooling: Literal["mean", "first"] = "mean"
    """Mean over the text's tokens, or its first token (for models trained that way)."""

    normalise: bool = True
    """Scale each text's vector to length 1 before whitening."""

    max_length: int = Field(default=256, ge=8, le=32_768)
    """Tokens read per text; the rest is cut. A model's own limit holds if it is lower."""

    batch_size: int = Field(default=64, ge=1, le=4_096)
    """Texts per forward pass. Changes speed and memory, not the vectors."""

    whiten_rank: int = Field(default=128, ge=1)
    """Width of an item vector after whitening; at most the width of the model's own vectors."""
