"""Small federations of real people."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penchant.behaviours import leave_one_out
from penchant.cache import cache_folder
from penchant.datasets import Dataset
from penchant.encoders import item_vectors
from penchant.simulation.settings import RunSettings, load_settings
from penchant.simulation.world import World

Small = Callable[..., World]


@pytest.fixture(scope="session")
def small_world(movielens_100k: Dataset) -> Small:
    """`small_world(n, settings)`: the first n people of MovieLens-100K and the whole catalogue."""

    def world(n: int, settings: RunSettings) -> World:
        behaviours = movielens_100k.behaviours
        kept = behaviours.where(behaviours.users < n)
        few = replace(kept, user_ids=kept.user_ids[:n], offsets=kept.offsets[: n + 1])
        people = {name: column[:n] for name, column in movielens_100k.people.items()}
        dataset = replace(movielens_100k, behaviours=few, people=people)
        vectors = item_vectors(movielens_100k.catalogue, settings.encoder, cache=cache_folder() / "vectors")
        split = leave_one_out(few)
        histories = tuple(np.array(split.train.of(person).items) for person in range(n))
        return World(dataset, vectors, split, histories)

    return world


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 people, 10 items, 6 events each: too small to learn from, and quick."""
    folder = tmp_path_factory.mktemp("shop")
    lines = [f"u{u},i{(u + 3 * day) % 10},{1_000_000 + day}" for u in range(60) for day in range(6)]
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    (folder / "items.csv").write_text("item_id,title\n" + "".join(f"i{i},Film {i}\n" for i in range(10)))
    return folder


def settings_of(*assignments: str) -> RunSettings:
    """Few rounds, reproducible noise, narrow model: what differs is named in the test."""
    common = (
        "privacy.reproducible_noise=true",
        "model.width=16",
        "encoder.whiten_rank=48",
        "evaluate_every=0",
    )
    return load_settings(None, {}, (*common, *assignments))
