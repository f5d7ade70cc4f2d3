"""Where the right item stands in a ranking, and what that is worth: per person first, means last.

The whole catalogue is ranked except what a person already had. Ties count against the right item, so a model that gives
every item the same score is worth nothing. A person with nothing to find has rank 0 and every metric NaN, and leaves
the means untouched.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penchant.errors import NotFinite
from penchant.types import F32, F64, I32, I64, NO_ITEM, Bool

Items = npt.NDArray[np.integer[Any]]


def target_ranks(scores: F32, targets: I32, *, seen: Sequence[Items]) -> I64:
    """The 1-based rank of each person's right item among all items that they have not seen.

    scores: float32[n, n_items].  targets: int32[n], NO_ITEM where there is nothing to find.
    seen: n arrays of items that are left out; the right item itself never is.
    Guarantees: 1 <= rank <= n_items, 0 for NO_ITEM; an item that ties with the right one stands before it.
    Raises: NotFinite if a score is NaN or Inf (a comparison with NaN would hand out first places).
    """
    _refuse_not_finite(scores)
    rows = np.arange(len(targets))
    right = np.where(targets == NO_ITEM, 0, targets)
    before = scores >= scores[rows, right][:, None]
    before[_cells(seen)] = False
    before[rows, right] = False
    return np.where(targets == NO_ITEM, 0, 1 + before.sum(axis=1, dtype=np.int64))


def sampled_ranks(scores: F32, targets: I32, negatives: I32) -> I64:
    """As `target_ranks`, among the right item and a few negatives only; comparable with papers, biased as a measure.

    negatives: int32[n, n_negatives] from `draw_negatives`.
    Source of the bias: Krichene and Rendle 2020, doi:10.1145/3394486.3403226.
    """
    drawn = _candidate_scores(scores, targets, negatives)
    before = (drawn[:, 1:] >= drawn[:, :1]) & (negatives != NO_ITEM)
    return np.where(targets == NO_ITEM, 0, 1 + before.sum(axis=1, dtype=np.int64))


def draw_negatives(touched: Sequence[Items], n_items: int, *, n: int = 99, rng: np.random.Generator) -> I32:
    """int32[n_users, n]: distinct items, uniform over those a person never touched, not even as validation or test.

    Padded with NO_ITEM where fewer than n are left.
    """
    negatives = np.full((len(touched), n), NO_ITEM, np.int32)
    for row, items in zip(negatives, touched, strict=True):
        untouched = np.setdiff1d(np.arange(n_items, dtype=np.int32), items)
        drawn = rng.choice(untouched, min(n, len(untouched)), replace=False, shuffle=False)
        row[: len(drawn)] = drawn
    return negatives


def top_items(scores: F32, k: int, *, seen: Sequence[Items]) -> I32:
    """int32[n, k]: each person's best unseen items, best first, NO_ITEM where fewer than k are left.

    Equal scores are ordered by item index, so the list is reproducible.
    """
    _refuse_not_finite(scores)
    masked = scores.copy()
    masked[_cells(seen)] = -np.inf
    best = np.full((len(scores), k), NO_ITEM, np.int32)
    kept = min(k, scores.shape[1])
    if kept:
        least = np.partition(masked, -kept, axis=1)[:, -kept]
        for row, values, bound in zip(best, masked, least, strict=True):
            candidates = np.flatnonzero(values >= bound)  # all that tie with the last place, by index
            order = candidates[np.argsort(-values[candidates], kind="stable")][:kept]
            row[:kept] = np.where(np.isneginf(values[order]), NO_ITEM, order)
    return best


def sampled_top_items(scores: F32, targets: I32, negatives: I32, k: int) -> I32:
    """As `top_items`, among the right item and the negatives; the right item stands after its ties."""
    drawn = _candidate_scores(scores, targets, negatives)
    items = np.column_stack([negatives, targets])
    values = np.where(items == NO_ITEM, -np.inf, np.column_stack([drawn[:, 1:], drawn[:, 0]]))
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(items, order, axis=1)


def hr(ranks: I64, k: int) -> F64:
    """Hit rate: 1 where the right item is among the first k."""
    return _where_found(ranks, ranks <= k)


def ndcg(ranks: I64, k: int) -> F64:
    """Discounted gain 1 / log2(1 + rank) within the first k; the ideal gain of one right item is 1.

    Source: Järvelin and Kekäläinen 2002, doi:10.1145/582415.582418.
    """
    return _where_found(ranks, np.where(ranks <= k, 1 / np.log2(1 + np.maximum(ranks, 1)), 0.0))


def recall(ranks: I64, k: int) -> F64:
    """Share of a person's right items among the first k: with one right item, the hit rate."""
    return hr(ranks, k)


def precision(ranks: I64, k: int) -> F64:
    """Share of the first k that is right; at most 1/k with one right item."""
    return hr(ranks, k) / k


def f1(ranks: I64, k: int) -> F64:
    """Harmonic mean of precision and recall; 0 where both are."""
    return 2 * hr(ranks, k) / (k + 1)


def mrr(ranks: I64) -> F64:
    """Reciprocal rank, over the whole ranking."""
    return _where_found(ranks, 1 / np.maximum(ranks, 1))


def coverage(top: I32, n_items: int) -> float:
    """Share of the catalogue that is in anybody's list."""
    return len(np.unique(top[top != NO_ITEM])) / n_items


def novelty(top: I32, popularity: I64, n_users: int) -> F64:
    """Mean surprise of a person's list, in bits: -log2 of the share of people who had an item in training.

    popularity: int64[n_items] people per item. An item that nobody had counts as one person's.
    Source: Castells, Hurley and Vargas 2015, Recommender Systems Handbook, ch. 26 (mean self-information).
    """
    bits = -np.log2(np.maximum(popularity, 1) / n_users)
    return _nanmean(np.where(top == NO_ITEM, np.nan, bits[top]), axis=1)


def summary(ranks: I64, top: I32, *, popularity: I64, n_users: int, k: int = 10) -> dict[str, float]:
    """Means over everybody who has something to find. No such person: an empty record, not a zero."""
    found = ranks > 0
    if not found.any():
        return {}
    ranks, top = ranks[found], top[found]
    figures = {"hr": hr, "ndcg": ndcg, "recall": recall, "precision": precision, "f1": f1}
    return {f"{name}@{k}": float(metric(ranks, k).mean()) for name, metric in figures.items()} | {
        "mrr": float(mrr(ranks).mean()),
        f"coverage@{k}": coverage(top, len(popularity)),
        f"novelty@{k}": float(np.nanmean(novelty(top, popularity, n_users))),
    }


def relevant_summary(
    scores: F32, relevant: Sequence[Items], *, seen: Sequence[Items], k: int = 10
) -> dict[str, F64]:
    """Metrics where a person has many right items: hr, ndcg, recall and precision within the first k, float64[n] each.

    relevant: n arrays of distinct right items, none of them seen; NaN for a person who has none.
    The ideal list has all right items in front. An item that ties with a right one stands before it.
    Source: Järvelin and Kekäläinen 2002, doi:10.1145/582415.582418.
    """
    right = np.zeros(scores.shape, np.bool_)
    right[_cells(relevant)] = True
    _refuse_not_finite(scores)
    hits = np.take_along_axis(right, _first_against(scores, right, seen, k), axis=1)
    gains = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(gains)])
    sizes = np.array([len(items) for items in relevant])
    hits = np.pad(hits, ((0, 0), (0, k - hits.shape[1])))
    found = hits.sum(axis=1)
    nothing = np.where(sizes > 0, 1.0, np.nan)
    return {
        "hr": (found > 0) * nothing,
        "ndcg": (hits * gains).sum(axis=1) / ideal[np.minimum(sizes, k)],
        "recall": found / np.where(sizes > 0, sizes, np.nan),
        "precision": found / k * nothing,
    }


def _first_against(scores: F32, right: Bool, seen: Sequence[Items], k: int) -> I64:
    """The first k of each row, int64[n, min(k, n_items)]; an item that ties with a right one stands before it."""
    masked = scores.astype(np.float64)
    masked[right] = np.nextafter(masked[right], -np.inf)  # behind its equals, before the next float32 below
    masked[_cells(seen)] = -np.inf
    k = min(k, masked.shape[1])
    first = np.argpartition(-masked, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(masked, first, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(first, order, axis=1), np.int64)


def _candidate_scores(scores: F32, targets: I32, negatives: I32) -> F32:
    _refuse_not_finite(scores)
    candidates = np.column_stack([targets, negatives])
    return np.take_along_axis(scores, np.where(candidates == NO_ITEM, 0, candidates).astype(np.int64), axis=1)


def _cells(seen: Sequence[Items]) -> tuple[I64, I64]:
    sizes = [len(items) for items in seen]
    columns = np.concatenate([*seen, np.empty(0, np.int64)]).astype(np.int64)
    return np.repeat(np.arange(len(sizes)), sizes), columns


def _where_found(ranks: I64, values: npt.NDArray[Any]) -> F64:
    return np.where(ranks > 0, values, np.nan)


def _nanmean(values: F64, axis: int) -> F64:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty list has no novelty: NaN is the answer
        return np.asarray(np.nanmean(values, axis=axis))


def _refuse_not_finite(scores: F32) -> None:
    bad = ~np.isfinite(scores).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise NotFinite(
            f"the scores in row {row} hold NaN or Inf: the model has diverged; lower the learning rate"
        )
