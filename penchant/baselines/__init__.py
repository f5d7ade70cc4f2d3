"""The references: trained centrally on everybody's events; what a federation has to be measured against."""

from penchant.baselines._ease import Ease
from penchant.baselines._popularity import Popularity
from penchant.baselines._protocol import Baseline, Scorer
from penchant.baselines._references import REFERENCES, examine

__all__ = ["REFERENCES", "Baseline", "Ease", "Popularity", "Scorer", "examine"]
