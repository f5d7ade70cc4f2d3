"""With what people did dealt out anew among all of them, nothing but popularity is left to learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from penchant.baselines import Popularity, evaluate
from penchant.evaluation import Part
from penchant.rng import stream
from penchant.simulation.evaluate import scorer, watched
from penchant.simulation.federation import Federation
from penchant.simulation.settings import load_settings
from penchant.simulation.world import World, build_world
from penchant.strategies.counting import What
from tests.simulation.flower_world import NoJournal

RECIPE = Path(__file__).parents[2] / "recipes" / "movielens-100k-none.toml"

SHORT = ("federation.rounds=60", "federation.cohort=128", "model.width=64")
"""The final model, trained long enough to leave popularity behind where labels are true."""


def _shuffled(world: World) -> World:
    """Every training event keeps its person and its place in time, and gets another event's item."""
    train = world.split.train
    items = stream(0, "shuffle").permutation(train.items)
    split = replace(world.split, train=replace(train, items=items))
    histories = tuple(split.train.of(person).items for person in range(train.n_users))
    return replace(world, split=split, histories=histories)


def _test_ndcg(world: World) -> float:
    settings = load_settings(RECIPE, {}, SHORT)
    federation = Federation.of(settings, world)
    items = federation.count(What.ITEMS, np.empty(0, np.float32), NoJournal())
    company = federation.company(
        {What.ITEMS: items, What.PAIRS: federation.count(What.PAIRS, items, NoJournal())}
    )
    state = federation.train(federation.initial_state(), NoJournal())
    scores = scorer(federation.serving(state.head, company), world, adapters=None)
    return watched(world.examination(Part.TEST, seed=0), scores)["ndcg@10"]


def test_shuffled_labels_score_like_popularity_at_best() -> None:
    world = build_world(load_settings(RECIPE, {}, []))
    popularity = evaluate(Popularity(), world.examination(Part.TEST, seed=0)).full["ndcg@10"]
    standard_error = 0.16 / np.sqrt(world.n_people)
    assert _test_ndcg(world) > popularity + 4 * standard_error
    assert _test_ndcg(_shuffled(world)) < popularity + 2 * standard_error
