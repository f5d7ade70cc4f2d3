"""A simulated person's list: what the device would show."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from penchant.errors import BadInput
from penchant.ranking import top_items
from penchant.simulation.evaluate import scorer
from penchant.simulation.serving import Serving
from penchant.simulation.world import World
from penchant.types import F32


@dataclass(frozen=True, slots=True)
class Recommended:
    """One line of a list. place: from 1.  score: higher is better; comparable within one list alone."""

    place: int
    item_id: str
    title: str
    categories: tuple[str, ...]
    score: float

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
    scores = scorer(serving, world, adapters=adapters)(np.array([person]))
    catalogue = world.dataset.catalogue
    chosen = top_items(
        scores, min(k, len(catalogue)), seen=[np.union1d(world.histories[person], world.closed)]
    )[0]
    return [
        Recommended(
            place, catalogue.item_ids[i], catalogue.titles[i], catalogue.categories[i], float(scores[0, i])
        )
        for place, i in enumerate(chosen, start=1)
        if i >= 0
    ]
