"""From a head, histories and adapters to scores for every item: what a device does to recommend, for many people."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from penchant.interest.fading import last_weights
from penchant.interest.model import InterestModel
from penchant.interest.parameters import TensorLayout
from penchant.types import F32, I32


def score_people(
    model: InterestModel, histories: Sequence[I32], *, adapters: F32 | None, max_history: int
) -> F32:
    """Each person's scores after the last event of the history: float32[n_people, n_items].

    adapters: float32[n_people, n_personal], or None to score with the shared head alone.  A person without events has
    the neutral state, and gets what the head ranks for everyone.
    """
    with torch.no_grad():
        everything = torch.arange(model.n_items)
        places = model.places(everything)
        wishes, memories = places[:, 0], places[:, model.memory_roles]
        rate = model.shared.history.rate_logit
        states = torch.stack([_last(memories, history[-max_history:], rate) for history in histories])
        states = states + model.shared.history.neutral
        scores = model.priors(everything)
        if adapters is not None:
            own = TensorLayout.personal(model).unstack(torch.from_numpy(adapters))
            states = states + own["personal.user"]
            wish = torch.einsum("nw,nwr,nrd->nd", states, own["personal.down"], own["personal.up"])
            scores = scores + model.personal.residual_scale * wish @ model.item_vectors.T
        result: F32 = (scores + states @ wishes.T).numpy()
    return result


def _last(memories: Tensor, history: I32, rate_logit: Tensor) -> Tensor:
    """The fading sum after the last event: float32[width]; zero for no events."""
    if len(history) == 0:
        return torch.zeros(memories.shape[-1])
    events = memories[torch.from_numpy(history.astype(np.int64))]
    return torch.einsum("ms,smw->w", last_weights(len(history), rate_logit), events)
