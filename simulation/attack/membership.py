"""Who was trained on? Told from the last head, from released counts, and from recommendations alone."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from penchant.interest import HistoryLoss, InterestModel, TensorLayout
from penchant.privacy.one_run import Membership, membership
from penchant.types import F32, F64, I32, Bool

_PEOPLE_AT_ONCE = 8
_LIST = 10


def by_loss(
    model: InterestModel, head: F32, histories: Sequence[I32], trained: Bool, *, max_history: int
) -> Membership:
    """The attacker holds the head and each person's history: a smaller loss speaks for membership."""
    TensorLayout.shared(model).write(model, head)
    return _told(-_losses(model, histories, max_history), trained)


def by_likeness(likeness: F64, trained: Bool) -> Membership:
    """The attacker holds released counts, and how alike they are to what each person would have added: float64[n]."""
    return _told(likeness, trained)


def by_recommendations(
    score: Callable[[Sequence[I32]], F32], histories: Sequence[I32], trained: Bool
) -> Membership:
    """The attacker asks for ten items with all but the last event of a history: is the last one among them?

    score: histories -> float32[n_people, n_items], what lists are made of.
    """
    scores = score([history[:-1] for history in histories])
    rows = np.arange(len(histories))
    last = np.array([history[-1] if len(history) else 0 for history in histories])
    ranks = 1 + (scores > scores[rows, last][:, None]).sum(axis=1)
    return _told(np.where(ranks <= _LIST, 1 / ranks, 0.0), trained)


def _losses(model: InterestModel, histories: Sequence[I32], max_history: int) -> F64:
    loss, everything = HistoryLoss(model), torch.arange(model.n_items)
    found: list[float] = []
    with torch.no_grad():
        for start in range(0, len(histories), _PEOPLE_AT_ONCE):
            latest = [history[-max_history:] for history in histories[start : start + _PEOPLE_AT_ONCE]]
            lengths = torch.tensor([len(history) for history in latest])
            events = torch.zeros(len(latest), max(2, int(lengths.max())), dtype=torch.int64)
            for row, history in zip(events, latest, strict=True):
                row[: len(history)] = torch.from_numpy(history.astype(np.int64))
            found += loss(events, lengths, everything).tolist()
    return np.array(found)


def _told(scores: F64, trained: Bool) -> Membership:
    return membership(scores[trained], scores[~trained])
