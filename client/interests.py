"""A person's interests as the device sees them: categories whose items the model wishes for more than for others."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from penchant.score import Items
from penchant.types import F32


@dataclass(frozen=True, slots=True)
class Interest:
    """strength: how far the category's mean stands above the catalogue's, in standard deviations of an item's."""

    category: str
    strength: float
    items: int


def interests(items: Items, wishes: F32, *, least_items: int = 3) -> list[Interest]:
    """Every category with enough items, the strongest interest first.

    wishes: float32[n_items], scores without what everyone's liking adds: nearness of the state to the item's place.
    """
    members = defaultdict[str, list[int]](list)
    for place, categories in enumerate(items.categories):
        for category in categories:
            members[category].append(place)
    spread = float(wishes.std()) or 1.0
    found = [
        Interest(category, float(wishes[places].mean() - wishes.mean()) / spread, len(places))
        for category, places in members.items()
        if len(places) >= min(least_items, len(items))
    ]
    return sorted(found, key=lambda one: (-np.float64(one.strength), one.category))
