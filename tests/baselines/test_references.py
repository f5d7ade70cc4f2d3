"""Baselines: the reference figures on real data, and what each must do on small cases."""

import numpy as np
import pytest

from penchant.baselines import REFERENCES, Ease, Popularity, examine
from penchant.baselines._linear import LinearScorer
from penchant.behaviours import leave_one_out
from penchant.datasets import Dataset
from penchant.evaluation import Examination, Part

BLIND = np.empty((12, 0), np.float32)


@pytest.fixture(scope="module")
def examination(movielens_100k: Dataset) -> Examination:
    return Examination(leave_one_out(movielens_100k.behaviours), len(movielens_100k.catalogue))


def test_reference_figures_on_movielens_100k(examination: Examination) -> None:
    results = examine(REFERENCES, examination)
    found = {name: (result.full["hr@10"], result.full["ndcg@10"]) for name, result in results.items()}
    assert found["popularity"] == pytest.approx((0.0817, 0.0393), rel=0.02)
    assert found["ease"] == pytest.approx((0.1389, 0.0697), rel=0.02)
    sampled = results["ease"].sampled99
    assert sampled["hr@10"] == pytest.approx(0.66, abs=0.03)
    assert sampled.keys() == results["ease"].full.keys()


def test_popularity_counts_people_not_events(tiny: Dataset) -> None:
    split = leave_one_out(tiny.behaviours)
    scores = Popularity().fit(split.train, BLIND).scores(split.train, np.array([0, 5]))
    people = [sum(item in split.train.of(user).items for user in range(8)) for item in range(12)]
    assert scores.tolist() == [people, people]


def test_ease_solves_its_own_problem(tiny: Dataset) -> None:
    """Its weights are the minimum: no step away from them with a zero diagonal lowers the penalised error."""
    train, ridge = tiny.behaviours, 2.0
    scorer = Ease(ridge).fit(train, BLIND)
    assert isinstance(scorer, LinearScorer)
    weights = scorer.weights
    had = np.array([[item in train.of(user).items for item in range(12)] for user in range(8)], float)

    def loss(b: np.ndarray) -> float:
        return float(((had - had @ b) ** 2).sum() + ridge * (b**2).sum())

    rng = np.random.default_rng(0)
    for _ in range(50):
        step = rng.normal(scale=0.01, size=weights.shape)
        np.fill_diagonal(step, 0)
        assert loss(weights + step) > loss(weights)
    assert not weights.diagonal().any()


def test_a_person_never_met_is_scored_by_history(tiny: Dataset) -> None:
    train = tiny.behaviours
    scorer = Ease(1.0).fit(train, BLIND)
    assert isinstance(scorer, LinearScorer)
    np.testing.assert_allclose(
        scorer.scores(train, np.array([0])).ravel(),
        scorer.weights[train.of(0).items].sum(axis=0),
        rtol=1e-5,
    )


def test_validation_and_test_draw_different_negatives(examination: Examination) -> None:
    other = Examination(examination.split, examination.n_items, Part.VALIDATION)
    shared = [len(np.intersect1d(a, b)) for a, b in zip(examination.negatives, other.negatives, strict=True)]
    assert np.mean(shared) < 12
    assert not (examination.negatives == examination.split.test[:, None]).any()
    assert not (other.negatives == examination.split.test[:, None]).any()
