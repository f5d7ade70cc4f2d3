"""The interest model and its loss: a shared transfer head over frozen item vectors, and a personal adapter."""

from penchant.interest.draw import RoundDraw
from penchant.interest.model import PERSONAL, SHARED, InterestModel
from penchant.interest.objective import ChunkLoss, HistoryLoss
from penchant.interest.parameters import TensorLayout
from penchant.interest.scoring import score_people

__all__ = [
    "PERSONAL",
    "SHARED",
    "ChunkLoss",
    "HistoryLoss",
    "InterestModel",
    "RoundDraw",
    "TensorLayout",
    "score_people",
]
