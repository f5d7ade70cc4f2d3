"""Every baseline by name: its settings, and what is tried when it is tuned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from types import MappingProxyType
from typing import Final

from penchant.baselines._bench import Bench, reads_vectors
from penchant.baselines._ease import Ease
from penchant.baselines._factors import MatrixFactorisation
from penchant.baselines._hybrid import StackedHybrid, WeightedHybrid
from penchant.baselines._neighbours import ContentKnn, ItemKnn, UserKnn
from penchant.baselines._popularity import Popularity, RecentPopularity
from penchant.baselines._protocol import Baseline
from penchant.baselines._sasrec import SasRec
from penchant.baselines._settings import changed

REFERENCES: Final[Mapping[str, Baseline]] = {"popularity": Popularity(), "ease": Ease()}
"""The baselines that stand beside every run: fitted in seconds, nothing to tune."""

BASELINES: Final[Mapping[str, Baseline]] = {
    "popularity": Popularity(),
    "recent_popularity": RecentPopularity(half_life=30.0),
    "user_knn": UserKnn(),
    "item_knn": ItemKnn(memory=10.0),
    "content_knn": ContentKnn(),
    "ease": Ease(),
    "recency_ease": Ease(memory=10.0),
    "matrix_factorisation": MatrixFactorisation(),
    "hybrid_weighted": WeightedHybrid(),
    "hybrid_stacked": StackedHybrid(),
    "sasrec": SasRec(),
    "sasrec_text": SasRec(text=True),
}
"""Every baseline with the settings that it has unless tuned."""

_MEMORIES: Final = (None, 5.0, 10.0, 20.0, 40.0)

GRIDS: Final[Mapping[str, Sequence[Baseline]]] = {
    "recent_popularity": [
        RecentPopularity(half_life=days) for days in (1.0, 3.0, 7.0, 14.0, 30.0, 90.0, 365.0)
    ],
    "user_knn": [UserKnn(k, memory) for k, memory in product((20, 50, 100, 200, 400), _MEMORIES)],
    "item_knn": [ItemKnn(k, s, m) for k, s, m in product((20, 50, 100, 300), (0.0, 10.0, 100.0), _MEMORIES)],
    "content_knn": [ContentKnn(k, memory) for k, memory in product((20, 50, 100, 300, 1000), _MEMORIES)],
    "ease": [Ease(ridge) for ridge in (50.0, 100.0, 200.0, 400.0, 800.0, 1600.0)],
    "recency_ease": [Ease(r, m) for r, m in product((100.0, 200.0, 400.0, 800.0), (5.0, 10.0, 20.0, 40.0))],
    "matrix_factorisation": [
        MatrixFactorisation(factors, ridge, memory=memory)
        for factors, ridge, memory in product((16, 32, 64), (1.0, 5.0, 10.0), (None, 20.0))
    ],
    "sasrec": [
        SasRec(width=width, length=length, dropout=dropout)
        for width, length, dropout in product((64, 128), (50, 200), (0.3, 0.5))
    ],
}
"""What is tried. A baseline without a grid has nothing to tune, or is made of tuned parts (see `grid`)."""

READ_VECTORS: Final = frozenset(name for name, baseline in BASELINES.items() if reads_vectors(baseline))
"""The baselines that are told what items are."""


def grid(name: str, bench: Bench, fixed: Mapping[str, str] = MappingProxyType({})) -> Sequence[Baseline]:
    """The settings to try for a baseline; those that are made of others take these as tuned. Empty: nothing to try.

    fixed: settings that all of them have, as text (see `changed`).
    """
    return list(dict.fromkeys(changed(candidate, fixed) for candidate in _grid(name, bench, fixed)))


def _grid(name: str, bench: Bench, fixed: Mapping[str, str]) -> Sequence[Baseline]:
    if name == "sasrec_text":
        found = bench.tune(grid("sasrec", bench, fixed)).chosen
        return [replace(candidate, text=True) for candidate in (found,) if isinstance(candidate, SasRec)]
    if name == "hybrid_stacked":
        return [StackedHybrid((Popularity(), *(bench.tune(GRIDS[part]).chosen for part in _STACKED)))]
    if name == "hybrid_weighted":
        parts = (bench.tune(GRIDS["recency_ease"]).chosen, bench.tune(GRIDS["content_knn"]).chosen)
        return [WeightedHybrid(share, *parts) for share in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)]
    return GRIDS.get(name, ())


_STACKED: Final = ("recent_popularity", "user_knn", "item_knn", "recency_ease", "content_knn")
