"""The item vectors of a catalogue: encoded once, kept on disk, given in a basis that travels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from penchant.catalogue import Catalogue
from penchant.encoders.protocol import Encoder, Progress, silent
from penchant.encoders.settings import EncoderSettings
from penchant.encoders.text import TextEncoder
from penchant.encoders.vector_cache import VectorCache
from penchant.encoders.whitening import Whitening
from penchant.types import F32

_CHUNK: Final = 1_024
"""Texts between two writes: what an interruption can lose."""


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """float32[n_items, rank] in catalogue order, their basis, and the identity of their making."""

    vectors: F32
    basis: Whitening
    digest: str
    """SHA-256 over model, settings, texts and any given basis: equal digests, equal vectors (1e-5)."""


def item_vectors(
    catalogue: Catalogue,
    settings: EncoderSettings | None = None,
    *,
    cache: Path,
    basis: Whitening | None = None,
    progress: Progress = silent,
) -> ItemVectors:
    """Encode a catalogue and whiten it, in its own basis or in the `basis` that came with a head.

    cache: a folder; only texts that this model has never seen are encoded.
    progress: called with numbers of items that add up to `len(catalogue)`.
    Raises: EnvironmentMissing (no such model), BadInput (whitening impossible), NotFinite.
    """
    settings = settings or EncoderSettings()
    encoder = TextEncoder(settings)
    encoded = encode_cached(encoder, catalogue.texts, cache=cache, progress=progress)
    origin = basis.digest if basis else f"fitted, rank {settings.whiten_rank}"
    basis = basis or Whitening.fit(encoded, rank=settings.whiten_rank)
    return ItemVectors(basis.apply(encoded), basis, _digest(encoder, origin, catalogue.texts))


def encode_cached(encoder: Encoder, texts: Sequence[str], *, cache: Path, progress: Progress = silent) -> F32:
    """`encoder.encode(texts)`, but each text that differs is encoded once for ever: float32[n_texts, width].

    An interruption loses at most the texts since the last write, and leaves nothing half-written.
    """
    store = VectorCache(cache / encoder.digest[:32])
    keys = [hashlib.sha256(text.encode()).digest() for text in texts]
    rows = store.read(keys)
    progress(sum(key in rows for key in keys))
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
    progress(len(texts) - sum(key in rows for key in keys) - len(missing))  # repeats of a missing text
    for chunk in _chunks(list(missing)):
        new = encoder.encode([missing[key] for key in chunk], progress=progress)
        fresh = dict(zip(chunk, new, strict=True))
        store.write(fresh)
        rows |= fresh
    return np.stack([rows[key] for key in keys]) if keys else encoder.encode([])


def _chunks(keys: list[bytes]) -> list[list[bytes]]:
    return [keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK)]


def _digest(encoder: Encoder, origin: str, texts: Sequence[str]) -> str:
    total = hashlib.sha256(f"{encoder.digest}\n{origin}\n".encode())
    for text in texts:
        total.update(hashlib.sha256(text.encode()).digest())
    return total.hexdigest()
