"""Neighbours, popularity over time, recency: known answers on a few people."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from penchant.baselines import ContentKnn, Ease, ItemKnn, Popularity, RecentPopularity, UserKnn
from penchant.baselines._linear import LinearScorer
from penchant.baselines._matrix import had, strongest, strongest_of_rows
from penchant.behaviours import Behaviours
from penchant.types import F32

DAY = 86_400
BLIND = np.empty((4, 0), np.float32)


def _people(*histories: list[tuple[int, int]]) -> Behaviours:
    """Each history: (item, day) in order."""
    events = [event for history in histories for event in history]
    return Behaviours(
        tuple(f"u{n}" for n in range(len(histories))),
        np.concatenate([[0], np.cumsum([len(history) for history in histories])]).astype(np.int64),
        np.array([item for item, _ in events], np.int32),
        np.array([day * DAY for _, day in events], np.int64),
        np.full(len(events), np.nan, np.float32),
        np.zeros(len(events), np.int8),
    )


ALL = np.arange(3)


def _dense(scorer: LinearScorer) -> F32:
    assert isinstance(scorer.weights, csr_array)
    return np.asarray(scorer.weights.toarray())


def test_memory_counts_an_item_by_its_latest_event() -> None:
    people = _people([(0, 1), (1, 2), (0, 3)], [(2, 1)], [])
    assert had(people, 4).toarray().tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    decayed = had(people, 4, np.array([0, 2]), memory=2.0).toarray()
    np.testing.assert_allclose(decayed.tolist()[0], [1, float(np.exp(-0.5)), 0, 0], rtol=1e-6)
    assert not decayed[1].any()


def test_strongest_keeps_the_largest_positive_entries() -> None:
    rows = np.array([[3, 1, 2, 0], [-1, -2, 5, 0]], np.float32)
    assert strongest(rows, 2).tolist() == [[3, 0, 2, 0], [0, 0, 5, 0]]
    assert strongest(rows, 9).tolist() == [[3, 1, 2, 0], [0, 0, 5, 0]]


def test_recent_popularity_knows_the_past_of_the_day_that_it_is_asked_on() -> None:
    train = _people([(0, 0), (0, 0)], [(1, 10)], [(2, 20)])
    scores = RecentPopularity(half_life=10.0).fit(train, BLIND).scores(train, ALL)
    expected = np.array([[2, 0, 0, 0], [1, 1, 0, 0], [0.5, 0.5, 1, 0]])
    np.testing.assert_allclose(scores, expected)


def test_recent_popularity_asks_for_newcomers_on_the_last_day() -> None:
    train = _people([(0, 0)], [(1, 10)])
    scorer = RecentPopularity(half_life=10.0).fit(train, BLIND)
    np.testing.assert_allclose(scorer.scores(_people([]), np.array([0])), [[0.5, 1, 0, 0]])
    np.testing.assert_allclose(scorer.scores(_people([(3, 99)]), np.array([0])), [[0.5, 1, 0, 0]])


def test_user_knn_by_hand() -> None:
    """A newcomer with item 0: u0 (items 0, 1) is 1/√2 alike, u1 (0, 2, 3) 1/√3, u2 (3) not at all."""
    train = _people([(0, 1), (1, 1)], [(0, 1), (2, 1), (3, 1)], [(3, 1)])
    newcomer = _people([(0, 5)])
    two = UserKnn(neighbours=2).fit(train, BLIND).scores(newcomer, np.array([0]))
    np.testing.assert_allclose(two, [[2**-0.5 + 3**-0.5, 2**-0.5, 3**-0.5, 3**-0.5]], rtol=1e-6)
    one = UserKnn(neighbours=1).fit(train, BLIND).scores(newcomer, np.array([0]))
    np.testing.assert_allclose(one, [[2**-0.5, 2**-0.5, 0, 0]], rtol=1e-6)


def test_item_knn_by_hand() -> None:
    """Items 0 and 1 share one person of 2 and 1: cosine 1/√2; shrunk by 1: 1/(√2 + 1). Nobody had item 3."""
    train = _people([(0, 1), (1, 1)], [(0, 1), (2, 1)])
    plain = _dense(ItemKnn(neighbours=4, shrink=0.0).fit(train, BLIND))
    np.testing.assert_allclose(plain[0], [0, 2**-0.5, 2**-0.5, 0], rtol=1e-6)
    assert not plain[3].any()
    shrunk = _dense(ItemKnn(neighbours=4, shrink=1.0).fit(train, BLIND))
    assert shrunk[0, 1] == pytest.approx(1 / (2**0.5 + 1))


def test_the_strongest_of_rows_are_those_of_the_whole_matrix() -> None:
    """Where most are 0 and not stored: ties at the bound stay, what is 0 or less goes."""
    rng = np.random.default_rng(0)
    dense = (rng.integers(-2, 4, (40, 30)) * (rng.random((40, 30)) < 0.3)).astype(np.float32)
    for k in (1, 3, 30, 50):
        stored = csr_array(dense)
        found = strongest_of_rows(stored, k)
        np.testing.assert_array_equal(found.toarray(), strongest(dense, k))
        np.testing.assert_array_equal(stored.toarray(), dense)


def test_likeness_in_blocks_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    whole = _dense(ContentKnn(neighbours=5).fit(_people([]), vectors))
    monkeypatch.setattr("penchant.baselines._neighbours._ROWS", 7)
    np.testing.assert_allclose(_dense(ContentKnn(neighbours=5).fit(_people([]), vectors)), whole, atol=1e-6)


def test_content_knn_looks_at_vectors_alone() -> None:
    vectors: F32 = np.array([[1, 0], [2, 0], [0, 3], [-1, 0]], np.float32)
    weights = _dense(ContentKnn(neighbours=4).fit(_people([]), vectors))
    assert weights.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert not _dense(ContentKnn().fit(_people([]), BLIND)).any()


def test_recency_ease_weighs_the_same_regression_by_age() -> None:
    train = _people([(0, 1), (1, 1)], [(0, 1), (2, 1)], [(1, 1), (2, 1), (3, 1)])
    asked = _people([(0, 1), (2, 2)])
    plain, recent = Ease(1.0).fit(train, BLIND), Ease(1.0, memory=1.0).fit(train, BLIND)
    assert isinstance(plain, LinearScorer)
    assert isinstance(recent, LinearScorer)
    np.testing.assert_array_equal(plain.weights, recent.weights)
    expected = plain.weights[2] + np.exp(-1) * plain.weights[0]
    np.testing.assert_allclose(recent.scores(asked, np.array([0]))[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "baseline", [Popularity(), RecentPopularity(), UserKnn(), ItemKnn(), Ease(), ContentKnn()]
)
def test_scores_are_finite_for_everybody_and_shaped_alike(baseline: Popularity) -> None:
    train = _people([(0, 1), (1, 1)], [(0, 1), (2, 1)], [(1, 4)])
    vectors = np.eye(4, 3, dtype=np.float32)
    scorer = baseline.fit(train, vectors)
    for histories in (train, _people([], [(3, 2)], [(0, 1)])):
        scores = scorer.scores(histories, np.array([2, 0, 1]))
        assert scores.shape == (3, 4)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
