"""Fit each baseline once: those that differ by what they are asked with alone share a fit."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from penchant.baselines._hybrid import SumScorer, WeightedHybrid
from penchant.baselines._protocol import Baseline, Scorer
from penchant.behaviours import Behaviours
from penchant.types import F32, I64, Bool


@dataclass(frozen=True, eq=False)
class Blinkered:
    """Looks at a history's events with some items alone. inside: bool[n_items]."""

    scorer: Scorer
    inside: Bool

    def scores(self, histories: Behaviours, users: I64) -> F32:
        return self.scorer.scores(histories.where(self.inside[histories.items]), users)


@dataclass(frozen=True, eq=False)
class Fits:
    """Baselines fitted on one set of people. vectors: float32[n_items, width], what items are.

    inside: bool[n_items], then events with other items are not looked at either when a history is scored.
    """

    train: Behaviours
    vectors: F32
    inside: Bool | None = None
    _done: dict[Baseline, Scorer] = field(default_factory=dict)

    @classmethod
    def of_events(cls, train: Behaviours, vectors: F32, inside: Bool | None) -> "Fits":
        """Of events with these items alone. inside: bool[n_items], or None for all."""
        return cls(train if inside is None else train.where(inside[train.items]), vectors, inside)

    def of(self, baseline: Baseline) -> Scorer:
        """As `baseline.fit(train, vectors)`."""
        scorer = self._whole(baseline)
        return scorer if self.inside is None else Blinkered(scorer, self.inside)

    def _whole(self, baseline: Baseline) -> Scorer:
        if isinstance(baseline, WeightedHybrid):
            return SumScorer(
                (self._whole(baseline.collaborative), self._whole(baseline.similar)), baseline.weights
            )
        if not any(one.name == "memory" for one in fields(baseline)):
            return self._fit(baseline)
        asked: Any = baseline
        fitted: Any = self._fit(replace(asked, memory=None))
        scorer: Scorer = replace(fitted, memory=asked.memory)
        return scorer

    def _fit(self, baseline: Baseline) -> Scorer:
        if baseline not in self._done:
            self._done[baseline] = baseline.fit(self.train, self.vectors)
        return self._done[baseline]
