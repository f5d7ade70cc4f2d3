"""Interest profiles of a simulation's people, and how well they tell what comes next. Simulation only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from penchant.encoders import EncoderSettings, TextEncoder, encode_cached
from penchant.errors import BadInput
from penchant.interest.phrases import phrases
from penchant.interest.profile import Interest, ProfileMaker, Tags, average_precision
from penchant.simulation.world import World
from penchant.types import F32, F64, I32, NO_ITEM

HALF_LIVES: Final = (None, 5.0, 10.0, 20.0, 50.0)
TRUSTS: Final = (1.0, 5.0, 20.0)


@dataclass(frozen=True)
class Told:
    """How well the categories of what comes next are told. Means over people who have something to find."""

    average_precision: float
    first_is_right: float
    people: int


def profile(
    world: World, encoder: EncoderSettings, *, user: str, cache: Path, most: int, maker: ProfileMaker
) -> list[Interest]:
    """Categories and phrases, the strongest of each. Raises: BadInput for an unknown person."""
    people = world.dataset.behaviours.user_ids
    if user not in people:
        raise BadInput(
            f"--user {user}: no such person in {world.dataset.name}; ids look like {', '.join(people[:3])}"
        )
    history = world.histories[people.index(user)]
    named = (category_tags(world), phrase_tags(world, encoder, cache=cache))
    return [interest for tags in named for interest in maker.interests(tags, history, most=most)]


def category_tags(world: World) -> Tags:
    """What is usual is how often each category is chosen in training."""
    liked = np.bincount(world.split.train.items, minlength=len(world.dataset.catalogue)).astype(np.float32)
    return Tags.of_categories(world.dataset.catalogue.categories, liked)


def phrase_tags(world: World, encoder: EncoderSettings, *, cache: Path) -> Tags:
    """Phrases of the catalogue in the basis of its item vectors."""
    named = phrases(world.dataset.catalogue)
    encoded = encode_cached(TextEncoder(encoder), named, cache=cache)
    return Tags.of_phrases(named, world.items.basis.apply(encoded), world.items.vectors)


def evaluate_profiles(world: World) -> dict[str, Any]:
    """Category popularity and the profile on the test items; fading and trust are chosen on the validation items."""
    tags, split = category_tags(world), world.split
    makers = [ProfileMaker(half_life, trust) for half_life in HALF_LIVES for trust in TRUSTS]
    best = max(
        makers,
        key=lambda maker: told(tags, _profiles(world, tags, maker), split.validation).average_precision,
    )
    popular = np.tile(tags.usual.astype(np.float64), (world.n_people, 1))
    found = {
        "category_popularity": told(tags, popular, split.test),
        "profile": told(tags, _profiles(world, tags, best), split.test),
    }
    chosen = {"half_life": best.half_life, "trust": best.trust, "tried": len(makers)}
    return {"test": {name: vars(one) for name, one in found.items()}, "settings": chosen}


def told(tags: Tags, weights: F64, held_out: I32) -> Told:
    """weights: float64[n_people, n_tags].  held_out: int32[n_people], `NO_ITEM` where there is none."""
    people = [p for p in np.flatnonzero(held_out != NO_ITEM) if tags.affinity[held_out[p]].any()]
    if not people:
        raise BadInput("no held-out item has a category: there is nothing to tell")
    right: list[F32] = [tags.affinity[held_out[p]] for p in people]
    precision = [average_precision(weights[p], own) for p, own in zip(people, right, strict=True)]
    first = [own[weights[p].argmax()] > 0 for p, own in zip(people, right, strict=True)]
    return Told(float(np.mean(precision)), float(np.mean(first)), len(people))


def _profiles(world: World, tags: Tags, maker: ProfileMaker) -> F64:
    return np.stack([maker.weights(tags, history) for history in world.histories])
