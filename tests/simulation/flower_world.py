"""Eight real people, built alike in every process that asks."""

from functools import lru_cache
from typing import Any

import numpy as np

from penchant.behaviours import leave_one_out
from penchant.cache import cache_folder
from penchant.datasets import load
from penchant.encoders import item_vectors
from penchant.simulation.federation import Federation
from penchant.simulation.settings import load_settings
from penchant.simulation.world import World
from penchant.strategies import HeadState, RoundSummary

PEOPLE = 8
SETTINGS = (
    "privacy.unit=none",
    "engine=flower",
    "model.width=16",
    "encoder.whiten_rank=48",
    "optimizer.learning_rate=0.05",
    "optimizer.schedule=constant",
    "federation.rounds=2",
)


class NoJournal:
    """Keeps nothing."""

    def charge(self, round_: int, event: Any, draw: Any) -> None:
        pass

    def persist(self, state: HeadState, summary: RoundSummary) -> None:
        pass


@lru_cache(maxsize=1)
def federation_of_eight() -> Federation:
    settings = load_settings(None, {}, SETTINGS)
    dataset = load("movielens-100k")
    behaviours = dataset.behaviours
    few = behaviours.where(behaviours.users < PEOPLE)
    split = leave_one_out(few)
    vectors = item_vectors(dataset.catalogue, settings.encoder, cache=cache_folder() / "vectors")
    histories = tuple(np.array(split.train.of(person).items) for person in range(PEOPLE))
    return Federation.of(settings, World(dataset, vectors, split, histories))
