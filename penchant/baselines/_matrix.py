"""Who had what, as a sparse matrix."""

from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from penchant.behaviours import Behaviours
from penchant.types import F32, I64


def had(
    histories: Behaviours, n_items: int, users: I64 | None = None, *, memory: float | None = None
) -> csr_array:
    """float32 csr[len(users), n_items]: 1 where a person had an item, however often. users: everybody by default.

    memory: then exp(-age / memory) instead of 1, the age of an item in events, 0 for the latest.
    """
    chosen = np.arange(histories.n_users) if users is None else users
    counts = histories.counts[chosen]
    rows = np.repeat(np.arange(len(chosen)), counts)
    ages = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(len(rows))
    items = histories.items[np.repeat(histories.offsets[chosen + 1], counts) - 1 - ages]
    latest = _latest(rows.astype(np.int64) * n_items + items)
    weights = np.ones(len(rows), np.float32) if memory is None else np.exp(-ages / memory).astype(np.float32)
    return csr_array((weights[latest], (rows[latest], items[latest])), shape=(len(chosen), n_items))


@lru_cache(maxsize=2)
def together(train: Behaviours, n_items: int) -> csr_array:
    """float32 csr[n_items, n_items]: how many people had each two items; on the diagonal, how many had one.

    Not to be written to: the latest results are remembered, for several models start from the same counts.
    """
    matrix = had(train, n_items)
    return (matrix.T @ matrix).tocsr()


def strongest(similarities: F32, k: int) -> F32:
    """Keep the k largest entries of each row, and of these the positive ones; the rest becomes 0."""
    k = min(k, similarities.shape[1])
    bound = -np.partition(-similarities, k - 1, axis=1)[:, k - 1 : k]
    return np.where((similarities >= bound) & (similarities > 0), similarities, np.float32(0))


def strongest_of_rows(similarities: csr_array, k: int) -> csr_array:
    """The same where most are 0 and not stored."""
    kept = similarities.data > 0
    for start, end in zip(similarities.indptr[:-1], similarities.indptr[1:], strict=True):
        if end - start > k:
            row = similarities.data[start:end]
            kept[start:end] &= row >= -np.partition(-row, k - 1)[k - 1]
    found = similarities.copy()
    found.data[~kept] = 0
    found.eliminate_zeros()
    return found


def _latest(keys: I64) -> I64:
    """Where each key stands for the last time."""
    _, from_the_end = np.unique(keys[::-1], return_index=True)
    return np.asarray(len(keys) - 1 - from_the_end, np.int64)
