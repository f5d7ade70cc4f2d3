"""The references: trained centrally on everybody's events; what a federation has to be measured against."""

from penchant.baselines._bench import Bench, Tuned, code_digest
from penchant.baselines._ease import Ease
from penchant.baselines._factors import MatrixFactorisation
from penchant.baselines._fits import Fits
from penchant.baselines._hybrid import StackedHybrid, WeightedHybrid
from penchant.baselines._neighbours import ContentKnn, ItemKnn, UserKnn
from penchant.baselines._popularity import Popularity, RecentPopularity
from penchant.baselines._protocol import Baseline, Scorer
from penchant.baselines._references import evaluate, examine
from penchant.baselines._registry import BASELINES, GRIDS, READ_VECTORS, REFERENCES, grid
from penchant.baselines._rehearsal import Rehearsal, Reveal
from penchant.baselines._sasrec import SasRec
from penchant.baselines._settings import changed, settings
from penchant.baselines._strangers import (
    STRANGER_GRIDS,
    STRANGER_REFERENCES,
    DomainReferences,
    Reference,
    StrangerReferences,
    new_item_references,
)

__all__ = [
    "BASELINES",
    "GRIDS",
    "READ_VECTORS",
    "REFERENCES",
    "STRANGER_GRIDS",
    "STRANGER_REFERENCES",
    "Baseline",
    "Bench",
    "ContentKnn",
    "DomainReferences",
    "Ease",
    "Fits",
    "ItemKnn",
    "MatrixFactorisation",
    "Popularity",
    "RecentPopularity",
    "Reference",
    "Rehearsal",
    "Reveal",
    "SasRec",
    "Scorer",
    "StackedHybrid",
    "StrangerReferences",
    "Tuned",
    "UserKnn",
    "WeightedHybrid",
    "changed",
    "code_digest",
    "evaluate",
    "examine",
    "grid",
    "new_item_references",
    "settings",
]
