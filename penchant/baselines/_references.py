"""Fit baselines on the training events and put the same examination to all."""

from collections.abc import Callable, Mapping

import numpy as np

from penchant.baselines._protocol import Baseline
from penchant.evaluation import Evaluation, Examination
from penchant.types import F32


def evaluate(baseline: Baseline, examination: Examination, vectors: F32 | None = None) -> Evaluation:
    """Fit on the training events; these are the histories too. vectors: float32[n_items, width], what items are."""
    train = examination.split.train
    known = np.empty((examination.n_items, 0), np.float32) if vectors is None else vectors
    scorer = baseline.fit(train, known)
    return examination.evaluate(lambda users: scorer.scores(train, users))


def examine(
    baselines: Mapping[str, Baseline],
    examination: Examination,
    vectors: F32 | None = None,
    *,
    done: Callable[[str], None] = lambda _: None,
) -> dict[str, Evaluation]:
    """Evaluate each. done: told each finished name."""
    results = {}
    for name, baseline in baselines.items():
        results[name] = evaluate(baseline, examination, vectors)
        done(name)
    return results
