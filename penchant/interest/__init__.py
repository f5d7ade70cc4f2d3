"""The interest model and its loss: a shared transfer head over frozen item vectors, and a personal adapter."""

from penchant.interest.loss import next_item_loss
from penchant.interest.model import PERSONAL, SHARED, InterestModel
from penchant.interest.parameters import TensorLayout

__all__ = ["PERSONAL", "SHARED", "InterestModel", "TensorLayout", "next_item_loss"]
