"""The references of a cold start: each folds in a history that it never met, with settings tuned on warm people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np

from penchant.baselines._ease import Ease
from penchant.baselines._fits import Fits
from penchant.baselines._hybrid import StackedHybrid, SumScorer, WeightedHybrid
from penchant.baselines._neighbours import ContentKnn, ItemKnn, UserKnn
from penchant.baselines._popularity import Popularity, RecentPopularity
from penchant.baselines._protocol import Baseline, Scorer
from penchant.baselines._registry import BASELINES
from penchant.baselines._rehearsal import Rehearsal
from penchant.baselines._settings import settings
from penchant.behaviours import Behaviours
from penchant.cold import Strangers
from penchant.rng import stream
from penchant.types import F32, Bool

_RIDGES: Final = (100.0, 1_000.0, 10_000.0, 100_000.0)
"""With few events known, much shrinkage serves best: in the limit an item counts by how many people had it too."""

_MEMORIES: Final = (None, 10.0)

STRANGER_GRIDS: Final[Mapping[str, Sequence[Baseline]]] = {
    "popularity": [Popularity()],
    "recent_popularity": [RecentPopularity(days) for days in (3.0, 14.0, 90.0, 365.0, 3650.0)],
    "content_knn": [ContentKnn(k, memory) for k, memory in product((20, 100, 1000), _MEMORIES)],
    "item_knn": [ItemKnn(k, s, m) for k, s, m in product((50, 200), (0.0, 10.0, 100.0), _MEMORIES)],
    "user_knn": [UserKnn(k, memory) for k, memory in product((20, 50, 100, 200, 400), _MEMORIES)],
    "ease": [Ease(ridge) for ridge in _RIDGES],
    "recency_ease": [Ease(ridge, memory) for ridge, memory in product(_RIDGES, (3.0, 10.0, 30.0))],
}
"""What is tried for strangers, after each number of known events anew."""

STRANGER_REFERENCES: Final = (*STRANGER_GRIDS, "hybrid_weighted", "hybrid_stacked")
"""What strangers are served by otherwise."""

COLLABORATIVE: Final = ("item_knn", "user_knn", "ease", "recency_ease")
"""Those that know an item by who had it."""

_SHARES: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


class Reference(NamedTuple):
    """A fitted reference. settings: what it was fitted with, for the record."""

    name: str
    scorer: Scorer
    settings: dict[str, Any]


@dataclass(frozen=True, eq=False)
class StrangerReferences:
    """fits: of everybody who may be learned from.  rehearsal: what settings are tuned on; None takes those shipped."""

    fits: Fits
    rehearsal: Rehearsal | None

    def after(self, shots: int) -> Iterator[Reference]:
        """Each of `STRANGER_REFERENCES`, for people of whom so many events are known."""
        chosen = {name: self._chosen(name, grid, shots) for name, grid in STRANGER_GRIDS.items()}
        for name, baseline in chosen.items():
            yield self._fitted(name, baseline)
        yield self._fitted("hybrid_weighted", self._weighted(chosen, shots))
        yield self._stacked(tuple(chosen.values()), shots)

    def one(self, name: str, shots: int) -> Reference:
        """One that is not made of others."""
        return self._fitted(name, self._chosen(name, STRANGER_GRIDS[name], shots))

    def _chosen(self, name: str, grid: Sequence[Baseline], shots: int) -> Baseline:
        return BASELINES[name] if self.rehearsal is None else self.rehearsal.best(grid, shots)

    def _weighted(self, chosen: Mapping[str, Baseline], shots: int) -> Baseline:
        """Likeness of content added to whichever of the others it helps most."""
        if self.rehearsal is None:
            return BASELINES["hybrid_weighted"]
        others = [baseline for name, baseline in chosen.items() if name != "content_knn"]
        grid = [
            WeightedHybrid(share, other, chosen["content_knn"]) for share, other in product(_SHARES, others)
        ]
        return self.rehearsal.best(grid, shots)

    def _stacked(self, parts: tuple[Baseline, ...], shots: int) -> Reference:
        if self.rehearsal is None:
            return self._fitted("hybrid_stacked", BASELINES["hybrid_stacked"])
        weights = self.rehearsal.stacked(parts, shots)
        scorer = SumScorer(tuple(self.fits.of(part) for part in parts), weights)
        record = {**settings(StackedHybrid(parts)), "weights": [round(float(w), 4) for w in weights]}
        return Reference("hybrid_stacked", scorer, record)

    def _fitted(self, name: str, baseline: Baseline) -> Reference:
        return Reference(name, self.fits.of(baseline), settings(baseline))


@dataclass(frozen=True, eq=False)
class DomainReferences:
    """References for people who are new in one domain and known in others.

    everywhere: fitted on, and asked with, events of all domains.  inside: with those of the new domain alone.
    """

    everywhere: StrangerReferences
    inside: StrangerReferences

    def after(self, shots: int) -> Iterator[Reference]:
        """Collaborative models by either; content kNN and the hybrids by events of all domains."""
        for reference in self.everywhere.after(shots):
            if reference.name in COLLABORATIVE:
                yield self.inside.one(reference.name, shots)
                yield reference._replace(name=f"cross_domain_{reference.name}")
            else:
                yield reference


def new_item_references(train: Behaviours, vectors: F32, new: Bool, *, tune: bool) -> Iterator[Reference]:
    """For items that nobody had: what is known of them is their content alone.

    new: bool[n_items]. Tuned on as many of the other items, taken from all histories likewise.
    """
    content = [BASELINES["content_knn"]]
    if tune:
        content = [ContentKnn(k, memory) for k, memory in product((1, 3, 10, 50), (None, 5.0, 20.0))]
    others = np.flatnonzero(~new)
    taken = np.zeros_like(new)
    taken[stream(0, "new items").choice(others, min(int(new.sum()), len(others) // 2), replace=False)] = True
    inside = taken[train.items]
    fits = Fits(train, vectors)
    rehearsal = Strangers(train.where(~inside), train.where(inside), ~taken)
    figures = [rehearsal.measure(fits.of(one).scores).get("ndcg@10", 0.0) if tune else 0.0 for one in content]
    chosen = {
        "popularity": BASELINES["popularity"],
        "content_knn": content[max(range(len(content)), key=figures.__getitem__)],
    }
    for name, baseline in chosen.items():
        yield Reference(name, fits.of(baseline), settings(baseline))
