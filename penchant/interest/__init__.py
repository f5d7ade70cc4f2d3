"""The interest model and its loss: a shared transfer head over frozen item vectors, and a personal adapter."""

from penchant.interest.loss import next_item_loss
from penchant.interest.model import PERSONAL, SHARED, InterestModel
from penchant.interest.negatives import round_negatives
from penchant.interest.objective import ChunkLoss, HistoryLoss
from penchant.interest.parameters import TensorLayout

__all__ = ["ChunkLoss", "HistoryLoss", "PERSONAL", "SHARED", "InterestModel", "TensorLayout", "next_item_loss", "round_negatives"]
