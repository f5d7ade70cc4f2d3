"""The works that are compared: what is trained, on whom, by which settings."""

import dataclasses
from typing import Any

import numpy as np

from benchmarks.work import Work
from penchant.config import TrainingSettings
from penchant.interest import InterestModel, TensorLayout, round_negatives
from penchant.rng import stream
from penchant.simulation.settings import RunSettings, load_settings
from penchant.simulation.world import build_world

ROUNDS = 64
"""Rounds that chance is decided for: no run asks for more."""

_ITEMS, _DIMENSION, _EVENTS = 4160, 384, 50
MOVIELENS = "movielens-1m"


def head(people: int = 1000) -> Work:
    """28,800 parameters: a head 384 -> 64 over 4,160 items, 50 events a person, 6 negatives. Made-up data.

    That is 6.2 MFLOP a client as a device computes it.
    """
    generator = stream(0, "benchmark")
    vectors = generator.standard_normal((_ITEMS, _DIMENSION)).astype(np.float32)
    histories = [generator.choice(_ITEMS, _EVENTS, replace=False).astype(np.int32) for _ in range(people)]
    settings = load_settings(
        None, {}, ("privacy.unit=none", "model.width=64", "training.negatives=6", *_ONE_STEP)
    )
    return _work(settings, vectors, histories)


def movielens(people: int = 300) -> Work:
    """The product's own model with its default settings, on people of MovieLens-1M."""
    settings = load_settings(None, {}, (f"data={MOVIELENS}", "privacy.unit=none", *_ONE_STEP))
    world = build_world(settings)
    chosen = stream(0, "benchmark people").permutation(world.n_people)[:people]
    return _work(settings, world.items.vectors, [np.array(world.histories[person]) for person in chosen])


def private(work: Work, unit: str, noise_at: str) -> Work:
    """The same people and model with one unit protected."""
    privacy = {**work.settings["privacy"], "unit": unit, "noise_at": noise_at, "noise_multiplier": 1.0}
    return dataclasses.replace(work, settings={**work.settings, "privacy": privacy})


_ONE_STEP = ("training.adapter_steps=0", "training.local_learning_rate=0.1")


def _work(settings: RunSettings, vectors: np.ndarray, histories: list[np.ndarray]) -> Work:
    kept: dict[str, Any] = settings.model_dump(mode="json", include={"model", "training", "privacy", "seed"})
    model = InterestModel(vectors, settings.model, seed=settings.seed)
    negatives = [_negatives(settings.training, len(vectors), settings.seed, r) for r in range(ROUNDS)]
    head = TensorLayout.shared(model).read(model)
    return Work(vectors, histories, head, kept, np.stack(negatives))


def _negatives(training: TrainingSettings, n_items: int, seed: int, r: int) -> np.ndarray:
    """Round `r` of a benchmark, from 0, is round r + 1 of a run."""
    return round_negatives(n_items, training.negatives, seed=seed, round_=r + 1).numpy()
