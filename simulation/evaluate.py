"""Measure a head and its adapters on the held-out items. Simulation only: none of this is released in a deployment."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from penchant.baselines import REFERENCES, examine
from penchant.evaluation import Evaluation, Examination, Part, Scores
from penchant.simulation.serving import Serving
from penchant.simulation.world import World
from penchant.types import F32, I64

_QUARTILES = ("1 low", "2", "3", "4 high")


def scorer(serving: Serving, world: World, *, adapters: F32 | None) -> Scores:
    """Scores of blocks of people by their training histories. adapters: None scores with what is shared alone."""

    def scores(users: I64) -> F32:
        own = None if adapters is None else adapters[users]
        return serving.scores([world.histories[user] for user in users], own)

    return scores


def watched(examination: Examination, scores: Scores) -> dict[str, float]:
    """HR@10 and NDCG@10 alone: what each round is watched by."""
    ranks = examination.ranks(scores)
    found = ranks[ranks > 0]
    if len(found) == 0:
        return {}
    gains = np.where(found <= 10, 1 / np.log2(found + 1.0), 0.0)
    return {"hr@10": float((found <= 10).mean()), "ndcg@10": float(gains.mean())}


def evaluate_run(
    serving: Serving, world: World, adapters: F32, *, seed: int
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Accuracy of the model, with and without adapters, and of the baselines; and one row a person."""
    test, validation = (world.examination(part, seed=seed) for part in (Part.TEST, Part.VALIDATION))
    personal, shared = scorer(serving, world, adapters=adapters), scorer(serving, world, adapters=None)
    own, alone = test.evaluate(personal), test.evaluate(shared)
    on_validation = validation.evaluate(personal)
    record = {
        "split": f"leave-one-out by {world.dataset.order}; history and exclusions: training items",
        "test": own.record(),
        "validation": on_validation.record(),
        "shared_only": alone.record(),
        "baselines": {name: fitted.record() for name, fitted in examine(REFERENCES, test).items()},
        "cold": None,
    }
    return record, _people(world, own, alone, on_validation)


def _people(world: World, own: Evaluation, alone: Evaluation, on_validation: Evaluation) -> pl.DataFrame:
    counts = world.split.train.counts
    return pl.DataFrame(
        {
            "user_id": world.dataset.behaviours.user_ids,
            "n_train": counts,
            "rank": own.ranks,
            "rank_sampled99": own.ranks_sampled,
            "rank_shared": alone.ranks,
            "rank_validation": on_validation.ranks,
            **_groups(world.dataset.people),
            "activity": activity_quartiles(counts),
        }
    )


def _groups(people: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return dict(people)


def activity_quartiles(counts: I64) -> list[str]:
    """Each person's quarter by number of training events; equal counts fall into the same quarter."""
    edges = np.quantile(counts, (0.25, 0.5, 0.75))
    return [_QUARTILES[int(np.searchsorted(edges, count, side="left"))] for count in counts]
