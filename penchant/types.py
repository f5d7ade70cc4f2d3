"""Values that every folder shares."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

NO_ITEM: Final = -1
"""The item index that stands for "none", for instance where a person has no validation event."""


class Kind(StrEnum):
    """What a person did with an item."""

    VIEW = "view"
    CLICK = "click"
    PURCHASE = "purchase"
    SEARCH = "search"
    LIKE = "like"
    COMMENT = "comment"
    SHARE = "share"
    RATING = "rating"


KINDS: Final = tuple(Kind)
"""Kinds in the order of their codes: `KINDS[code]`."""


class Unit(StrEnum):
    """What one guarantee protects."""

    NONE = "none"
    EVENT = "event"
    USER = "user"


class NoiseAt(StrEnum):
    """Who adds the noise: each client (trusts nobody) or the server (which is trusted)."""

    CLIENT = "client"
    SERVER = "server"


class Sampling(StrEnum):
    """How the people of a round are chosen."""

    ALL = "all"
    FIXED = "fixed"
    POISSON = "poisson"
    ROTATION = "rotation"


@dataclass(frozen=True, slots=True)
class Event:
    """One interaction of one person. `at` is in seconds since 1970 (UTC)."""

    item: str
    kind: Kind
    at: int
    value: float | None = None
