"""What a baseline is: fitted on training events, it scores any history, also that of a person it never met."""

from typing import Any, ClassVar, Protocol

from penchant.behaviours import Behaviours
from penchant.types import F32, I64


class Scorer(Protocol):
    """A fitted baseline."""

    def scores(self, histories: Behaviours, users: I64) -> F32:
        """float32[len(users), n_items], finite: how well each item continues each of these people's histories."""
        ...


class Baseline(Protocol):
    """Settings of a reference model: a frozen dataclass of plain values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def fit(self, train: Behaviours, vectors: F32) -> Scorer:
        """Learn from the training events alone.

        vectors: float32[n_items, width], what is known of each item beforehand; width 0 where nothing is.
        """
        ...
