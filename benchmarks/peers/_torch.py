"""What the peers on PyTorch share: the product's own model and loss, exactly as a device runs them."""

from typing import Any

import numpy as np
import torch

from benchmarks.work import Work
from penchant.config import ModelSettings
from penchant.interest import InterestModel, TensorLayout

History = tuple[torch.Tensor, torch.Tensor]

torch.set_num_threads(1)


def model_of(work: Work) -> InterestModel:
    return InterestModel(work.vectors, ModelSettings(**work.settings["model"]), seed=work.settings["seed"])


def negatives_of(work: Work, round_: int) -> torch.Tensor:
    return torch.from_numpy(work.negatives[round_])


def histories_of(work: Work) -> list[History]:
    """int64[1, length] events and int64[1] length, a person."""
    return [(torch.from_numpy(events)[None], torch.tensor([len(events)])) for events in work.latest()]


def flat(model: InterestModel) -> np.ndarray[Any, np.dtype[np.float32]]:
    return TensorLayout.shared(model).read(model)
