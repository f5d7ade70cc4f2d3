"""Bound what one contribution can do to a sum: values that carry their bound."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from penchant.errors import BadInput, NotFinite
from penchant.types import F32, F64, I64

_ROUNDING: Final = 1 - 2.0**-22
"""Shrinks a scaled update by more than float32 rounding (2^-24 relative) can grow it."""


@dataclass(frozen=True, slots=True, eq=False)
class ClippedUpdates:
    """Contributions, one a row, each proved to lie in the L2 ball of radius `bound`.

    values: float32[n, n_params], read-only.  The norms are checked on construction, so no other value can
    exist.
    """

    values: F32
    bound: float

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float32:
            raise BadInput(
                f"clipped updates must be float32[n, n_params], not {self.values.dtype}{self.values.shape}"
            )
        if not (_norms(self.values) <= _positive(self.bound)).all():
            raise BadInput(f"an update lies outside its bound {self.bound}: use clip()")
        self.values.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class ClippedSum:
    """A sum of clipped contributions: one more or one less moves it by at most `bound` in L2.

    values: float64[n_params], read-only.  The sum is float64, so its rounding stays below the grid on which
    `penchant.privacy.mechanism` releases it.
    """

    values: F64
    bound: float

    @classmethod
    def empty(cls, n_params: int, *, bound: float) -> "ClippedSum":
        """The sum of no contributions; to release it is a noise-only step, and charged."""
        return cls(np.zeros(n_params), _positive(bound))

    def plus(self, updates: ClippedUpdates) -> "ClippedSum":
        """Fold contributions in. Raises: BadInput where the bounds or the sizes differ."""
        if updates.bound != self.bound:
            raise BadInput(f"cannot add updates clipped to {updates.bound} to a sum with bound {self.bound}")
        if updates.values.shape[1] != self.values.shape[0]:
            raise BadInput(f"update of {updates.values.shape[1]} parameters, expected {self.values.shape[0]}")
        total = self.values + updates.values.sum(axis=0, dtype=np.float64)
        total.setflags(write=False)
        return ClippedSum(total, self.bound)


def clip(updates: F32, *, bound: float) -> ClippedUpdates:
    """Scale each contribution into the L2 ball of radius `bound`, before anything is averaged.

    updates: float32[n_params] (one contribution) or float32[n, n_params] (one a row), in parameter units.
    bound: > 0.
    Guarantees: every row's float64 norm is at most `bound`, after rounding to float32; directions are kept;
    rows already inside, zero among them, are returned bit for bit.
    Raises: NotFinite if a row holds NaN or Inf, naming it; BadInput for a bound that is not above 0.
    Source: McMahan et al. 2018, arXiv:1710.06963, Algorithm 1.
    """
    rows = np.atleast_2d(np.asarray(updates, dtype=np.float32))
    norms = _norms(rows)
    if not np.isfinite(norms).all():
        raise NotFinite(
            f"update in row {int(np.flatnonzero(~np.isfinite(norms))[0])} holds NaN or Inf: refused"
        )
    outside = norms > _positive(bound)
    clipped = rows.copy()
    scale = bound / norms[outside] * _ROUNDING
    clipped[outside] = (rows[outside] * scale[:, None]).astype(np.float32)
    return ClippedUpdates(clipped, bound)


def was_clipped(updates: F32, *, bound: float) -> I64:
    """Rows that lie outside the bound, int64[k]: for counting, never released without noise.

    A device clips before it sends, so what a server counts so are those who did not keep to that.
    """
    return np.flatnonzero(_norms(np.atleast_2d(updates)) > bound)


def _norms(rows: F32) -> F64:
    wide = rows.astype(np.float64)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", wide, wide)), dtype=np.float64)


def _positive(bound: float) -> float:
    if not (np.isfinite(bound) and bound > 0):
        raise BadInput(f"clip bound {bound}: must be a number above 0")
    return bound
