"""The basis in which item vectors are given: a whitening that travels with the head.

A head learned on films reads vectors in the films' basis. Books can meet that head because the `Whitening`
is kept and applied to their vectors too, instead of being fitted anew.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from penchant.errors import BadInput, NotFinite
from penchant.rundir import write_atomically
from penchant.types import F32, F64

_NEGLIGIBLE = 1e-6
"""Directions with less than this share of the largest variance are dropped: their scale would be noise."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """PCA whitening, `(vectors - mean) @ matrix`: mean float32[width], matrix float32[width, rank]."""

    mean: F32
    matrix: F32

    @classmethod
    def fit(cls, vectors: F32, *, rank: int) -> "Whitening":
        """The basis of a catalogue: its `rank` directions of largest variance, each scaled to variance 1.

        vectors: float32[n_items, width], n_items >= 2, 1 <= rank <= width.
        Guarantees: applied to `vectors`, columns have mean 0, variance 1 (over n_items) and no correlation.
        Where the catalogue spans fewer than `rank` directions, the remaining columns are zero, so the width
        never changes. Signs are fixed: in each direction the component of largest magnitude is positive.
        Raises: BadInput, NotFinite.
        """
        _check(vectors, rank)
        mean = vectors.mean(axis=0, dtype=np.float64)
        centred = vectors - mean
        variances, directions = np.linalg.eigh(centred.T @ centred / len(vectors))
        variances, directions = variances[::-1][:rank], _signed(directions[:, ::-1][:, :rank])
        kept = variances > _NEGLIGIBLE * variances[0]
        scale = np.where(kept, 1 / np.sqrt(np.where(kept, variances, 1)), 0)
        return cls(mean.astype(np.float32), (directions * scale).astype(np.float32))

    @property
    def width(self) -> int:
        """Numbers per vector before whitening."""
        return len(self.mean)

    @property
    def rank(self) -> int:
        """Numbers per vector after whitening."""
        return int(self.matrix.shape[1])

    @property
    def digest(self) -> str:
        """SHA-256 over both arrays."""
        return hashlib.sha256(save({"mean": self.mean, "matrix": self.matrix})).hexdigest()

    def apply(self, vectors: F32) -> F32:
        """float32[n, width] -> float32[n, rank]. Raises: BadInput when the width is another model's."""
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise BadInput(
                f"vectors of shape {list(vectors.shape)} do not fit a basis of width {self.width}; "
                "encode them with the model that the basis was fitted on"
            )
        return np.asarray((vectors - self.mean) @ self.matrix, dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write as safetensors, whole or not at all."""
        write_atomically(path, save({"mean": self.mean, "matrix": self.matrix}))

    @classmethod
    def load(cls, path: Path) -> "Whitening":
        """Read what `save` wrote. Raises: BadInput naming a file that is missing, damaged or another."""
        try:
            tensors = load(path.read_bytes())
            basis = cls(tensors["mean"], tensors["matrix"])
        except FileNotFoundError as error:
            raise BadInput(f"{path}: no such file; it is written beside the shared head") from error
        except (SafetensorError, KeyError) as error:
            raise BadInput(f"{path}: not a whitening basis ({error}); restore it or fit it again") from error
        basis._check_loaded(path)
        return basis

    def _check_loaded(self, path: Path) -> None:
        arrays = (self.mean, self.matrix)
        shaped = self.mean.ndim == 1 and self.matrix.ndim == 2 and len(self.mean) == len(self.matrix)
        if not shaped or any(array.dtype != np.float32 or not np.isfinite(array).all() for array in arrays):
            raise BadInput(f"{path}: not a whitening basis (wrong shape, wrong type or not finite)")


def _check(vectors: F32, rank: int) -> None:
    if vectors.ndim != 2 or len(vectors) < 2:
        raise BadInput(f"whitening needs the vectors of at least 2 items, got shape {list(vectors.shape)}")
    if not 1 <= rank <= vectors.shape[1]:
        raise BadInput(f"whiten_rank = {rank}: must be 1 to {vectors.shape[1]}, the width of the vectors")
    if not np.isfinite(vectors).all():
        raise NotFinite("an item vector holds NaN or Inf; encode the catalogue again")
    if not np.ptp(vectors, axis=0).any():
        raise BadInput("all items have the same vector: nothing to whiten; check the items' texts")


def _signed(directions: F64) -> F64:
    """Eigenvectors have no sign of their own; give each column one that every machine agrees on."""
    largest = np.abs(directions).argmax(axis=0)
    signs: F64 = np.sign(directions[largest, np.arange(directions.shape[1])])
    return directions * signs
