"""What a baseline is: fitted on training events, it scores any history, also that of a person it never met."""

from typing import Protocol

from penchant.behaviours import Behaviours
from penchant.types import F32, I64


class Scorer(Protocol):
    """A fitted baseline."""

    def scores(self, histories: Behaviours, users: I64) -> F32:
        """float32[len(users), n_items], finite: how well each item continues each of these people's histories."""
        ...


class Baseline(Protocol):
    """Settings of a reference model."""

    def fit(self, train: Behaviours, n_items: int) -> Scorer:
        """Learn from the training events alone."""
        ...
