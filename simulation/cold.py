"""How a finished run serves strangers, beside references that know as much. Simulation only."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from penchant.baselines import BASELINES, READ_VECTORS, Baseline
from penchant.behaviours import Behaviours
from penchant.cold import ColdStart, ScoreHistories
from penchant.errors import BadInput
from penchant.interest import InterestModel, TensorLayout, score_people
from penchant.simulation.world import World
from penchant.types import F32, I64

REFERENCES = (
    "popularity",
    "recent_popularity",
    "content_knn",
    "item_knn",
    "user_knn",
    "ease",
    "recency_ease",
)
"""What strangers are served by otherwise: each folds in a history that it never met."""


class Cold(StrEnum):
    """Who or what is new."""

    PEOPLE = "people"
    ITEMS = "items"


def serve_strangers(
    model: InterestModel,
    world: World,
    head: F32,
    *,
    which: Cold,
    shots: Sequence[int],
    max_history: int,
    references: Mapping[str, Baseline] | None = None,
    done: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """`record[shots][model][metric]`; for new items the shots are "all", a person's whole training history.

    Strangers have no adapter: the head serves them as it is. references: None takes the shipped settings.
    Raises: BadInput where the run kept nothing out.
    """
    cold = world.cold
    if cold is None or not (len(cold.people.user_ids) if which is Cold.PEOPLE else cold.cold_items.any()):
        raise BadInput(
            f"the run kept no {which} out of training; train with --set hold_out.{which}=0.1 to measure this"
        )
    scorers = {"penchant": _head_scores(model, head, max_history)}
    done("penchant")
    for name, baseline in (references or {name: BASELINES[name] for name in REFERENCES}).items():
        scorers[name] = _reference_scores(baseline, name, world)
        done(name)
    return _measured(cold, scorers, world, which, shots)


def _measured(
    cold: ColdStart, scorers: Mapping[str, ScoreHistories], world: World, which: Cold, shots: Sequence[int]
) -> dict[str, Any]:
    if which is Cold.ITEMS:
        train = world.split.train
        return {"all": {name: cold.new_items(score, train) for name, score in scorers.items()}}
    return {
        str(count): {name: cold.people_after(score, count) for name, score in scorers.items()}
        for count in shots
    }


def _head_scores(model: InterestModel, head: F32, max_history: int) -> ScoreHistories:
    TensorLayout.shared(model).write(model, head)

    def scores(histories: Behaviours, people: I64) -> F32:
        own = [histories.of(int(person)).items for person in people]
        return score_people(model, own, adapters=None, max_history=max_history)

    return scores


def _reference_scores(baseline: Baseline, name: str, world: World) -> ScoreHistories:
    vectors = world.items.vectors
    known = vectors if name in READ_VECTORS else vectors[:, :0]
    return baseline.fit(world.split.train, known).scores
