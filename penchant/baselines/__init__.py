"""The references: trained centrally on everybody's events; what a federation has to be measured against."""

from penchant.baselines._bench import Bench, Tuned
from penchant.baselines._ease import Ease
from penchant.baselines._factors import MatrixFactorisation
from penchant.baselines._hybrid import StackedHybrid, WeightedHybrid
from penchant.baselines._neighbours import ContentKnn, ItemKnn, UserKnn
from penchant.baselines._popularity import Popularity, RecentPopularity
from penchant.baselines._protocol import Baseline, Scorer, settings
from penchant.baselines._references import evaluate, examine
from penchant.baselines._registry import BASELINES, GRIDS, READ_VECTORS, REFERENCES, grid
from penchant.baselines._sasrec import SasRec

__all__ = [
    "BASELINES",
    "GRIDS",
    "READ_VECTORS",
    "REFERENCES",
    "Baseline",
    "Bench",
    "ContentKnn",
    "Ease",
    "ItemKnn",
    "MatrixFactorisation",
    "Popularity",
    "RecentPopularity",
    "SasRec",
    "Scorer",
    "StackedHybrid",
    "Tuned",
    "UserKnn",
    "WeightedHybrid",
    "evaluate",
    "examine",
    "grid",
    "settings",
]
