"""Vectors that were computed once and are kept on disk, one row per text.

A shard is a safetensors file whose name is the SHA-256 of its content: a damaged one gives itself away, two
processes that write the same rows write the same file, and nothing half-written ever carries a valid name.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from penchant.rundir import write_atomically
from penchant.types import F32

_log = logging.getLogger(__name__)


class VectorCache:
    """Rows of one encoder, by the SHA-256 of their text. The folder is made at the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, keys: Iterable[bytes]) -> dict[bytes, F32]:
        """The rows asked for that are there, each float32[width]. A damaged shard is removed."""
        wanted = set(keys)
        return {key: row for shard in self._shards() for key, row in shard if key in wanted}

    def write(self, rows: Mapping[bytes, F32]) -> None:
        """Keep rows (32-byte keys, equal widths), durable when this returns."""
        keys = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), 32)
        content = save({"keys": keys, "vectors": np.stack(list(rows.values()))})
        write_atomically(self.folder / f"{_digest(content)}.safetensors", content)

    def _shards(self) -> Iterator[Iterator[tuple[bytes, F32]]]:
        for path in sorted(self.folder.glob("*.safetensors")):
            content = path.read_bytes()
            if _digest(content) != path.stem:
                _log.warning("%s is damaged; its vectors are computed again", path)
                path.unlink(missing_ok=True)
                continue
            tensors = load(content)
            yield zip((bytes(key) for key in tensors["keys"]), tensors["vectors"], strict=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
