"""From item texts to item vectors: a frozen language model, a cache, a basis that travels with the head."""

from penchant.encoders.items import ItemVectors, encode_cached, item_vectors
from penchant.encoders.protocol import Encoder, Progress
from penchant.encoders.settings import EncoderSettings
from penchant.encoders.text import TextEncoder
from penchant.encoders.whitening import Whitening

__all__ = [
    "Encoder",
    "EncoderSettings",
    "ItemVectors",
    "Progress",
    "TextEncoder",
    "Whitening",
    "encode_cached",
    "item_vectors",
]
