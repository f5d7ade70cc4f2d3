"""What serves a person once a run has ended: the head, the company that was counted, or both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penchant.interest import InterestModel, TensorLayout, score_people
from penchant.interest.company import Company
from penchant.types import F32, I32


@dataclass(frozen=True, eq=False)
class Serving:
    """head: float32[n_shared].  company: None where nothing was counted.

    head_weight: of the head's scores, log odds, beside the logarithm of the company's; 0: the company alone.
    """

    model: InterestModel
    head: F32
    max_history: int
    company: Company | None = None
    head_weight: float = 0.0

    @property
    def reads_adapters(self) -> bool:
        """An adapter changes what the head says; company knows of none."""
        return self.company is None or self.head_weight > 0

    def scores(self, histories: Sequence[I32], adapters: F32 | None = None) -> F32:
        """float32[n_people, n_items], higher is better. adapters: float32[n_people, n_personal], or None."""
        if self.company is None:
            return self._by_head(histories, adapters)
        company = self.company.scores(histories)
        if self.head_weight == 0:
            return company
        likely: F32 = np.log(company + np.float32(1e-6) * company.max(axis=1, keepdims=True))
        likely += np.float32(self.head_weight) * self._by_head(histories, adapters)
        return likely

    def _by_head(self, histories: Sequence[I32], adapters: F32 | None) -> F32:
        TensorLayout.shared(self.model).write(self.model, self.head)
        return score_people(self.model, histories, adapters=adapters, max_history=self.max_history)
