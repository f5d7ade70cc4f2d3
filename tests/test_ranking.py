"""Ranks and metrics: known answers, guarantees, and ranx as an oracle."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penchant import ranking
from penchant.errors import NotFinite
from penchant.types import NO_ITEM

NOTHING = np.empty(0, np.int32)


def _f32(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, np.float32)


def _i32(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int32)


def test_rank_counts_unseen_items_that_score_higher() -> None:
    scores = _f32([[0.9, 0.5, 0.8, 0.1], [0.9, 0.5, 0.8, 0.1]])
    ranks = ranking.target_ranks(scores, _i32([1, 1]), seen=[NOTHING, _i32([0])])
    assert ranks.tolist() == [3, 2]


def test_a_tie_counts_against_the_right_item() -> None:
    assert ranking.target_ranks(np.zeros((1, 7), np.float32), _i32([3]), seen=[NOTHING]).tolist() == [7]
    assert ranking.sampled_ranks(np.zeros((1, 7), np.float32), _i32([3]), _i32([0, 5])[None]).tolist() == [3]


def test_the_right_item_is_ranked_even_if_it_was_seen() -> None:
    assert ranking.target_ranks(_f32([[3, 2, 1]]), _i32([0]), seen=[_i32([0, 1])]).tolist() == [1]


def test_nothing_to_find_is_not_a_miss() -> None:
    ranks = ranking.target_ranks(_f32([[3, 2, 1], [3, 2, 1]]), _i32([NO_ITEM, 1]), seen=[NOTHING, NOTHING])
    assert ranks.tolist() == [0, 2]
    for metric in (ranking.hr, ranking.ndcg, ranking.recall, ranking.precision, ranking.f1):
        assert np.isnan(metric(ranks, 10)).tolist() == [True, False]
    assert ranking.mrr(ranks)[1] == 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad: float) -> None:
    scores = _f32([[1, 2, 3], [1, bad, 3]])
    with pytest.raises(NotFinite, match="row 1"):
        ranking.target_ranks(scores, _i32([0, 1]), seen=[NOTHING, NOTHING])
    with pytest.raises(NotFinite, match="row 1"):
        ranking.top_items(scores, 2, seen=[NOTHING, NOTHING])


def test_metrics_by_hand() -> None:
    ranks = np.array([1, 3, 10, 11])
    np.testing.assert_allclose(ranking.hr(ranks, 10), [1, 1, 1, 0])
    np.testing.assert_allclose(ranking.ndcg(ranks, 10), [1, 0.5, 0.2890648, 0], atol=1e-7)
    np.testing.assert_allclose(ranking.precision(ranks, 10), [0.1, 0.1, 0.1, 0])
    np.testing.assert_allclose(ranking.f1(ranks, 10), [2 / 11, 2 / 11, 2 / 11, 0])
    np.testing.assert_allclose(ranking.mrr(ranks), [1, 1 / 3, 1 / 10, 1 / 11])


def test_top_items_leave_out_seen_items_and_pad() -> None:
    top = ranking.top_items(_f32([[1, 9, 5, 5], [4, 3, 2, 1]]), 3, seen=[_i32([1]), _i32([0, 2, 3])])
    assert top.tolist() == [[2, 3, 0], [1, NO_ITEM, NO_ITEM]]
    assert ranking.top_items(_f32([[1, 2]]), 3, seen=[NOTHING]).tolist() == [[1, 0, NO_ITEM]]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.sets(st.integers(0, 11)), st.integers(1, 14))
def test_top_items_are_a_full_stable_sort_whatever_ties(values: list[int], met: set[int], k: int) -> None:
    seen = [item for item in met if item < len(values)]
    left = [item for item in range(len(values)) if item not in seen]
    best = sorted(left, key=lambda item: -values[item])[:k]  # Python's sort keeps the order of equals
    top = ranking.top_items(_f32([[float(value) for value in values]]), k, seen=[_i32(seen)])
    assert top.tolist() == [best + [NO_ITEM] * (k - len(best))]


def test_coverage_and_novelty_by_hand() -> None:
    top = _i32([0, 1, 1, NO_ITEM]).reshape(2, 2)
    assert ranking.coverage(top, 4) == 0.5
    surprise = ranking.novelty(top, np.array([4, 1, 0, 0]), 4)
    np.testing.assert_allclose(surprise, [(0 + 2) / 2, 2])


def test_summary_ignores_people_with_nothing_to_find() -> None:
    top = _i32([0, 1, 2, 3]).reshape(2, 2)
    figures = ranking.summary(np.array([1, 0]), top, popularity=np.array([1, 1, 1, 1]), n_users=2, k=2)
    assert figures["hr@2"] == 1
    assert figures["coverage@2"] == 0.5
    assert ranking.summary(np.array([0, 0]), top, popularity=np.ones(4, np.int64), n_users=2, k=2) == {}


score_rows = hnp.arrays(np.float32, (5, 12), elements=st.integers(-3, 3).map(float))


@given(scores=score_rows, targets=hnp.arrays(np.int32, 5, elements=st.integers(0, 11)))
def test_rank_agrees_with_a_sort_that_puts_the_right_item_after_its_ties(scores, targets) -> None:  # type: ignore[no-untyped-def]
    ranks = ranking.target_ranks(scores, targets, seen=[NOTHING] * 5)
    for row, target, rank in zip(scores, targets, ranks, strict=True):
        order = sorted(range(12), key=lambda item: (-row[item], item == target))
        assert order.index(target) + 1 == rank


@given(scores=score_rows, targets=hnp.arrays(np.int32, 5, elements=st.integers(0, 11)))
def test_sampling_every_negative_is_the_full_ranking(scores, targets) -> None:  # type: ignore[no-untyped-def]
    negatives = ranking.draw_negatives([_i32([t]) for t in targets], 12, n=11, rng=np.random.default_rng(0))
    full = ranking.target_ranks(scores, targets, seen=[NOTHING] * 5)
    assert ranking.sampled_ranks(scores, targets, negatives).tolist() == full.tolist()
    hits = (ranking.sampled_top_items(scores, targets, negatives, 3) == targets[:, None]).any(axis=1)
    assert hits.tolist() == (full <= 3).tolist()


@given(st.integers(0, 2**32), st.sets(st.integers(0, 29), max_size=28))
def test_negatives_are_distinct_and_were_never_touched(seed: int, touched: set[int]) -> None:
    row = ranking.draw_negatives([_i32(sorted(touched))], 30, n=10, rng=np.random.default_rng(seed))[0]
    drawn = row[row != NO_ITEM]
    assert len(set(drawn)) == len(drawn) == min(10, 30 - len(touched))
    assert not touched & set(drawn.tolist())


def test_negatives_are_uniform() -> None:
    drawn = ranking.draw_negatives([_i32([0, 1])] * 4000, 12, n=3, rng=np.random.default_rng(1))
    counts = np.bincount(drawn.ravel(), minlength=12)
    assert counts[:2].tolist() == [0, 0]
    expected = 4000 * 3 / 10
    assert np.abs(counts[2:] - expected).max() < 5 * np.sqrt(expected)


def test_ranx_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # compiling takes a minute, this takes none
    from ranx import Qrels, Run, evaluate

    rng = np.random.default_rng(5)
    n_users, n_items, k = 300, 40, 10
    scores = rng.permuted(np.tile(np.arange(n_items, dtype=np.float32), (n_users, 1)), axis=1)
    targets = rng.integers(0, n_items, n_users).astype(np.int32)
    seen = [np.setdiff1d(rng.choice(n_items, 9, replace=False), [target]) for target in targets]
    ranks = ranking.target_ranks(scores, targets, seen=seen)

    relevant = {f"u{user}": {f"i{target}": 1} for user, target in enumerate(targets)}
    ranked = {
        f"u{user}": {
            f"i{item}": float(scores[user, item]) for item in range(n_items) if item not in seen[user]
        }
        for user in range(n_users)
    }
    names = [f"hit_rate@{k}", f"ndcg@{k}", f"recall@{k}", f"precision@{k}", f"f1@{k}", "mrr"]
    oracle = evaluate(Qrels(relevant), Run(ranked), names)
    metrics = (ranking.hr, ranking.ndcg, ranking.recall, ranking.precision, ranking.f1)
    ours = [metric(ranks, k).mean() for metric in metrics] + [ranking.mrr(ranks).mean()]
    np.testing.assert_allclose(ours, [oracle[name] for name in names], atol=1e-9)


def test_many_right_items_by_hand() -> None:
    scores = _f32([[9, 8, 7, 6, 5], [9, 8, 7, 6, 5], [1, 1, 1, 1, 1]])
    figures = ranking.relevant_summary(
        scores, [_i32([1, 4]), NOTHING, _i32([0])], seen=[_i32([0]), NOTHING, NOTHING], k=2
    )
    np.testing.assert_allclose(figures["ndcg"], [1 / (1 + 1 / np.log2(3)), np.nan, 0])
    np.testing.assert_allclose(figures["hr"], [1, np.nan, 0])
    np.testing.assert_allclose(figures["recall"], [0.5, np.nan, 0])
    np.testing.assert_allclose(figures["precision"], [0.5, np.nan, 0])


def test_ranx_agrees_on_many_right_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # compiling takes a minute, this takes none
    from ranx import Qrels, Run, evaluate

    rng = np.random.default_rng(6)
    scores = rng.permuted(np.tile(np.arange(30, dtype=np.float32), (200, 1)), axis=1)
    right = [np.sort(rng.choice(30, rng.integers(1, 15), replace=False)) for _ in scores]
    figures = ranking.relevant_summary(scores, right, seen=[NOTHING] * len(scores), k=10)
    relevant = Qrels({f"u{user}": {f"i{item}": 1 for item in items} for user, items in enumerate(right)})
    ranked = Run(
        {f"u{user}": {f"i{i}": float(s) for i, s in enumerate(row)} for user, row in enumerate(scores)}
    )
    names = {"ndcg": "ndcg@10", "hr": "hit_rate@10", "recall": "recall@10", "precision": "precision@10"}
    oracle = evaluate(relevant, ranked, list(names.values()))
    ours = [figures[name].mean() for name in names]
    np.testing.assert_allclose(ours, [oracle[name] for name in names.values()], atol=1e-9)
