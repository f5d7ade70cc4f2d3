"""Hybrids: what others did and what items are, in one score."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from penchant.baselines._ease import Ease
from penchant.baselines._matrix import had
from penchant.baselines._neighbours import ContentKnn, ItemKnn, UserKnn
from penchant.baselines._popularity import Popularity, RecentPopularity
from penchant.baselines._protocol import Baseline, Scorer
from penchant.baselines._settings import Share
from penchant.behaviours import Behaviours, Split, leave_one_out
from penchant.rng import stream
from penchant.types import F32, I64, NO_ITEM

_LEARNERS: Final = 1000
"""People whose choices the stacked weights are learned from: enough for a handful of numbers."""

_STEPS: Final = 60

_NEVER: Final = -1e9
"""Score of what is not to be chosen: so low that its chance is 0, and finite, as 0 times infinity is no number."""

_COLLABORATIVE: Final = Ease(memory=10.0)
_SIMILAR: Final = ContentKnn()


@dataclass(frozen=True)
class WeightedHybrid:
    """Collaborative and content scores, standardised for each person and added. content: share of the latter."""

    content: Share = 0.2
    collaborative: Baseline = _COLLABORATIVE
    similar: Baseline = _SIMILAR

    def fit(self, train: Behaviours, vectors: F32) -> "SumScorer":
        parts = (self.collaborative.fit(train, vectors), self.similar.fit(train, vectors))
        return SumScorer(parts, self.weights)

    @property
    def weights(self) -> F32:
        return np.array([1 - self.content, self.content], np.float32)


@dataclass(frozen=True)
class StackedHybrid:
    """Several models' standardised scores, with weights that a softmax over the catalogue learns.

    The weights are learned inside the training events: parts fitted without each person's last two events predict the
    first of these; then the parts are fitted on everything. Source: Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1.
    """

    parts: tuple[Baseline, ...] = (
        Popularity(),
        RecentPopularity(),
        UserKnn(),
        ItemKnn(memory=10.0),
        _COLLABORATIVE,
        _SIMILAR,
    )

    def fit(self, train: Behaviours, vectors: F32) -> "SumScorer":
        inner = leave_one_out(train)
        weights = _learned([part.fit(inner.train, vectors) for part in self.parts], inner)
        return SumScorer(tuple(part.fit(train, vectors) for part in self.parts), weights)


@dataclass(frozen=True, eq=False)
class SumScorer:
    """weights: float32[n_parts], of each part's standardised scores."""

    parts: tuple[Scorer, ...]
    weights: F32

    def scores(self, histories: Behaviours, users: I64) -> F32:
        total = np.float32(0)
        for part, weight in zip(self.parts, self.weights, strict=True):
            total = total + weight * standardised(part.scores(histories, users))
        return np.asarray(total, np.float32)


def standardised(scores: F32) -> F32:
    """Mean 0 and deviation 1 over the catalogue, for each person; a constant row becomes 0."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9), np.float32)


def _learned(parts: list[Scorer], inner: Split) -> F32:
    """Weights that make the held-out choices likeliest; equal ones where nobody has such a choice."""
    people = np.flatnonzero(inner.validation != NO_ITEM)
    if len(people) == 0:
        return np.full(len(parts), 1 / len(parts), np.float32)
    chosen = stream(0, "stacked hybrid").permutation(people)[:_LEARNERS]
    features = np.stack([standardised(part.scores(inner.train, chosen)) for part in parts], axis=-1)
    return softmax_weights(
        torch.from_numpy(features),
        torch.nn.functional.one_hot(
            torch.from_numpy(inner.validation[chosen]).long(), features.shape[1]
        ).float(),
        torch.from_numpy(had(inner.train, features.shape[1], chosen).toarray() > 0),
    )


def softmax_weights(features: Tensor, right: Tensor, seen: Tensor) -> F32:
    """Weights that make what was chosen likeliest: float32[n_parts].

    features: float32[n, n_items, n_parts].  right: float32[n, n_items], each person's choices, adding up to 1.
    seen: bool[n, n_items], not to be chosen.
    """
    weights = torch.full((features.shape[-1],), 0.5, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        scores = (features @ weights).masked_fill(seen, _NEVER)
        value = torch.nn.functional.cross_entropy(scores, right)
        value.backward()
        return value

    optimizer.step(loss)
    return weights.detach().numpy()
