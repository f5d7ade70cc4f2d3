"""A model that only counts how often an item was a wrong answer must score like chance: else the negatives leak."""

import numpy as np
import torch

from penchant.behaviours import leave_one_out
from penchant.datasets import Dataset
from penchant.evaluation import Examination
from penchant.interest import round_negatives
from penchant.interest.loss import own_targets
from penchant.types import F32, I64

ROUNDS = 50


def scores_from_counts(counts: F32) -> np.ndarray:
    """What was a wrong answer least often ranks first."""
    return -counts


def negative_counts(histories: list[np.ndarray], n_items: int, *, excluded: list[np.ndarray]) -> F32:
    """How often each item was a wrong answer for each person: float32[n_people, n_items], over rounds of training."""
    counts = np.zeros((len(histories), n_items), np.float32)
    for round_ in range(ROUNDS):
        negatives = round_negatives(n_items, 256, seed=0, round_=round_)
        for person, targets in enumerate(excluded):
            asked = torch.from_numpy(targets.astype(np.int64))[None]
            out = own_targets(asked, torch.ones_like(asked, dtype=torch.bool), negatives, n_items=n_items)[0]
            counts[person, negatives[~out].numpy()] += 1
    return counts


def sampled_hit_rate(dataset: Dataset, *, leak: bool) -> float:
    split = leave_one_out(dataset.behaviours)
    n_items = len(dataset.catalogue)
    histories = [split.train.of(person).items for person in range(split.train.n_users)]
    held_out = [[split.validation[u], split.test[u]] if leak else [] for u in range(len(histories))]
    excluded = [np.concatenate([h, np.array(o, h.dtype)]) for h, o in zip(histories, held_out, strict=True)]
    counts = negative_counts(histories, n_items, excluded=excluded)
    counts += (
        np.random.default_rng(1).random(counts.shape, dtype=np.float32) * 1e-3
    )  # ties by lot, as in a model

    def scores(users: I64) -> F32:
        return scores_from_counts(counts[users])

    return Examination(split, n_items).evaluate(scores).sampled99["hr@10"]


def test_negatives_tell_nothing_about_the_held_out_item(movielens_100k: Dataset) -> None:
    assert sampled_hit_rate(movielens_100k, leak=False) <= 0.13


def test_the_canary_sings_when_held_out_items_are_spared(movielens_100k: Dataset) -> None:
    assert sampled_hit_rate(movielens_100k, leak=True) > 0.9
