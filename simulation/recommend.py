"""Lists for people: of a simulation, or new to it. What a device would show."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from penchant.behaviours import Behaviours
from penchant.errors import BadInput
from penchant.ranking import top_items
from penchant.simulation.evaluate import scorer
from penchant.simulation.serving import Serving
from penchant.simulation.world import World
from penchant.types import F32, I32

_REASONED: Final = 10
"""Latest events that are looked at for a reason."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """One line of a list. place: from 1.  score: higher is better; comparable within one list alone.

    because: the title of the event without which the item would stand lowest; None where no event lifts it.
    """

    place: int
    item_id: str
    title: str
    categories: tuple[str, ...]
    score: float
    because: str | None = None

    def to_record(self) -> dict[str, Any]:
        return asdict(self)


def recommend_to(serving: Serving, world: World, adapters: F32, *, user: str, k: int) -> list[Recommended]:
    """The k best items that are not in the person's training history. Raises: BadInput for an unknown person."""
    people = world.dataset.behaviours.user_ids
    if user not in people:
        raise BadInput(
            f"--user {user}: no such person in {world.dataset.name}; ids look like {', '.join(people[:3])}"
        )
    person = people.index(user)
    scores = scorer(serving, world, adapters=adapters)(np.array([person]))[0]
    return _listed(world, scores, world.histories[person], k)


def recommend_to_newcomers(
    serving: Serving, world: World, newcomers: Behaviours, *, k: int
) -> dict[str, list[Recommended]]:
    """A list, with reasons, for each person who was not there in training, by id. Nothing is learned from them."""
    histories = [newcomers.of(person).items for person in range(newcomers.n_users)]
    lists = {}
    for name, history in zip(newcomers.user_ids, histories, strict=True):
        lists[name] = _with_reasons(serving, world, history, k)
    return lists


def _with_reasons(serving: Serving, world: World, history: I32, k: int) -> list[Recommended]:
    """Score the whole history, and the history without each of its latest events: what falls most was lifted by it."""
    left_out = range(max(0, len(history) - _REASONED), len(history))
    scores = serving.scores([history, *(np.delete(history, event) for event in left_out)])
    lifted = _standing(scores[0]) - np.array([_standing(row) for row in scores[1:]]).reshape(
        -1, scores.shape[1]
    )
    return _listed(world, scores[0], history, k, history[list(left_out)], lifted)


def _standing(scores: F32) -> F32:
    """Scores as deviations from the mean over the catalogue: so that histories of different lengths compare."""
    return np.asarray((scores - scores.mean()) / max(float(scores.std()), 1e-12), np.float32)


def _listed(
    world: World, scores: F32, history: I32, k: int, events: I32 | None = None, lifted: F32 | None = None
) -> list[Recommended]:
    """lifted: float32[n_events, n_items], how much each of the events does for each item."""
    catalogue, reasons = world.dataset.catalogue, {}
    seen = np.union1d(history, world.closed)
    chosen = [int(i) for i in top_items(scores[None], min(k, len(catalogue)), seen=[seen])[0] if i >= 0]
    if events is not None and lifted is not None and len(events):
        best = lifted.argmax(axis=0)
        reasons = {i: catalogue.titles[events[best[i]]] for i in chosen if lifted[best[i], i] > 0}
    return [
        Recommended(
            place,
            catalogue.item_ids[i],
            catalogue.titles[i],
            catalogue.categories[i],
            float(scores[i]),
            reasons.get(i),
        )
        for place, i in enumerate(chosen, start=1)
    ]
