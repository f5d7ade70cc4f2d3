"""What a baseline is: fitted on training events, it scores any history, also that of a person it never met."""

from dataclasses import fields
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


def settings(baseline: Baseline) -> dict[str, Any]:
    """What tells this baseline from any other: its class and its values, those of its parts too. JSON-ready."""
    values = {field.name: getattr(baseline, field.name) for field in fields(baseline)}
    return {"model": type(baseline).__name__, **{name: _plain(value) for name, value in values.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return settings(value) if hasattr(value, "__dataclass_fields__") else value
