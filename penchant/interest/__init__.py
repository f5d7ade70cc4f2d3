"""The interest model and its loss: a shared transfer head over frozen item vectors, and a personal adapter."""

from penchant.interest.dropout import Kept
from penchant.interest.model import PERSONAL, SHARED, InterestModel
from penchant.interest.negatives import round_negatives
from penchant.interest.objective import ChunkLoss, HistoryLoss
from penchant.interest.parameters import TensorLayout
from penchant.interest.scoring import score_people

__all__ = [
    "PERSONAL",
    "SHARED",
    "ChunkLoss",
    "HistoryLoss",
    "InterestModel",
    "Kept",
    "TensorLayout",
    "round_negatives",
    "score_people",
]
