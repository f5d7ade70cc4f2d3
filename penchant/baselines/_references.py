"""Fit and examine the baselines that every run is measured against."""

from collections.abc import Callable, Mapping
from typing import Final

from penchant.baselines._ease import Ease
from penchant.baselines._popularity import Popularity
from penchant.baselines._protocol import Baseline
from penchant.evaluation import Evaluation, Examination

REFERENCES: Final[Mapping[str, Baseline]] = {"popularity": Popularity(), "ease": Ease()}
"""The baselines that stand beside every run."""


def examine(
    baselines: Mapping[str, Baseline],
    examination: Examination,
    *,
    done: Callable[[str], None] = lambda _: None,
) -> dict[str, Evaluation]:
    """Fit each baseline on the training events and put one examination to all. done: told each finished name."""
    results = {}
    for name, baseline in baselines.items():
        results[name] = _examine(baseline, examination)
        done(name)
    return results


def _examine(baseline: Baseline, examination: Examination) -> Evaluation:
    train = examination.split.train
    scorer = baseline.fit(train, examination.n_items)
    return examination.evaluate(lambda users: scorer.scores(train, users))
