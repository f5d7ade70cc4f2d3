"""Lists for people: of a simulation, or new to it. What a device would show."""

from dataclasses import asdict, dataclass, replace
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

    because: the title of the event that lifts the item most; None where it would be listed for anybody.
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
    """Score the history, no history, and the history without each of its latest events.

    An item that would be listed for somebody of whom nothing is known has no reason; any other is there because of the
    event without which it falls furthest.
    """
    left_out = range(max(0, len(history) - _REASONED), len(history))
    scores = serving.scores([history, history[:0], *(np.delete(history, event) for event in left_out)])
    listed = _listed(world, scores[0], history, k)
    anybody = {one.item_id for one in _listed(world, scores[1], history, k)}
    if len(history) == 0:
        return listed
    fall = _standing(scores[0]) - np.stack([_standing(row) for row in scores[2:]])
    catalogue = world.dataset.catalogue
    return [
        one
        if one.item_id in anybody
        else replace(one, because=_lifting(fall[:, catalogue.index[one.item_id]], history, world))
        for one in listed
    ]


def _lifting(fall: F32, history: I32, world: World) -> str | None:
    """The title of the event without which an item falls furthest. fall: float32[n_events], of the latest events."""
    event = int(fall.argmax())
    latest = history[len(history) - len(fall) :]
    return world.dataset.catalogue.titles[latest[event]] if fall[event] > 0 else None


def _standing(scores: F32) -> F32:
    """Scores as deviations from the mean over the catalogue: so that histories of different lengths compare."""
    return np.asarray((scores - scores.mean()) / max(float(scores.std()), 1e-12), np.float32)


def _listed(world: World, scores: F32, history: I32, k: int) -> list[Recommended]:
    catalogue = world.dataset.catalogue
    seen = np.union1d(history, world.closed)
    chosen = top_items(scores[None], min(k, len(catalogue)), seen=[seen])[0]
    return [
        Recommended(
            place, catalogue.item_ids[i], catalogue.titles[i], catalogue.categories[i], float(scores[i])
        )
        for place, i in enumerate(chosen, start=1)
        if i >= 0
    ]
