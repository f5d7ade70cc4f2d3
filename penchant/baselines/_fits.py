"""Fit each baseline once: those that differ by what they are asked with alone share a fit."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from penchant.baselines._hybrid import SumScorer, WeightedHybrid
from penchant.baselines._protocol import Baseline, Scorer
from penchant.behaviours import Behaviours
from penchant.types import F32


@dataclass(frozen=True, eq=False)
class Fits:
    """Baselines fitted on one set of people. vectors: float32[n_items, width], what items are."""

    train: Behaviours
    vectors: F32
    _done: dict[Baseline, Scorer] = field(default_factory=dict)

    def of(self, baseline: Baseline) -> Scorer:
        """As `baseline.fit(train, vectors)`."""
        if isinstance(baseline, WeightedHybrid):
            return SumScorer((self.of(baseline.collaborative), self.of(baseline.similar)), baseline.weights)
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
