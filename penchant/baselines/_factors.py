"""Matrix factorisation of implicit feedback, by the `implicit` package."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from penchant.baselines._matrix import had
from penchant.baselines._settings import Count, Positive
from penchant.behaviours import Behaviours
from penchant.errors import EnvironmentMissing
from penchant.types import F32, I64


@dataclass(frozen=True)
class MatrixFactorisation:
    """Alternating least squares on who had what (iALS).

    ridge: penalty on both factors.  confidence: weight of what somebody had over what they had not.
    memory: of the history that is asked with, in events.
    Source: Hu, Koren and Volinsky 2008, doi:10.1109/ICDM.2008.22.
    """

    factors: Count = 64
    ridge: Positive = 10.0
    confidence: Positive = 1.0
    iterations: Count = 30
    memory: Positive | None = None

    @staticmethod
    def available() -> bool:
        """Whether `implicit` is installed."""
        return find_spec("implicit") is not None

    def fit(self, train: Behaviours, vectors: F32) -> "FactorScorer":
        if not self.available():
            raise EnvironmentMissing(
                "matrix factorisation needs `implicit`: pip install 'penchant[baselines]'"
            )
        from implicit.als import AlternatingLeastSquares  # type: ignore[import-untyped]

        model = AlternatingLeastSquares(
            factors=self.factors,
            regularization=self.ridge,
            alpha=self.confidence,
            iterations=self.iterations,
            num_threads=1,
            random_state=0,
        )
        model.fit(csr_matrix(had(train, len(vectors))), show_progress=False)
        return FactorScorer(model, self.memory)


@dataclass(frozen=True, eq=False)
class FactorScorer:
    """A fitted model of `implicit`; people are folded in by their history, met before or not."""

    model: Any
    memory: float | None

    def scores(self, histories: Behaviours, users: I64) -> F32:
        items = self.model.item_factors
        asked = csr_matrix(had(histories, len(items), users, memory=self.memory))
        people = self.model.recalculate_user(np.arange(len(users)), asked)
        return np.asarray(people.reshape(len(users), -1) @ items.T, np.float32)
