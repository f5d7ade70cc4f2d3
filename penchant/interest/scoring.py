"""From a head, histories and adapters to scores for every item: what a device does to recommend, for many people."""

from collections.abc import Sequence

import numpy as np
import torch

from penchant.interest.model import InterestModel
from penchant.interest.parameters import TensorLayout
from penchant.types import F32, I32


def score_people(model: InterestModel, histories: Sequence[I32], *, adapters: F32 | None, max_history: int) -> F32:
    """Each person's scores after the last event of the history: float32[n_people, n_items].

    adapters: float32[n_people, n_personal], or None to score with the shared head alone.  A person without events gets
    the scores of the neutral state (what the head ranks for everyone).
    """
    with torch.no_grad():
        states = torch.stack([_last_state(model, history[-max_history:]) for history in histories])
        if adapters is None:
            interest = model.shared.item_head(states)
        else:
            interest = _personal_interest(model, states, adapters)
        scores: F32 = model.scores(interest).numpy()
    return scores


def _last_state(model: InterestModel, history: I32) -> torch.Tensor:
    if len(history) == 0:
        return torch.zeros(model.shared.item_head.in_features)
    events = model.item_vectors[torch.from_numpy(history.astype(np.int64))][None]
    return model.shared.state(events)[0, -1]


def _personal_interest(model: InterestModel, states: torch.Tensor, adapters: F32) -> torch.Tensor:
    layout = TensorLayout.personal(model)
    rows = []
    for state, adapter in zip(states, adapters, strict=True):
        layout.write(model, adapter)
        rows.append(model.personal(state, model.shared.item_head))
    return torch.stack(rows)
