"""Who had what, as a matrix of zeros and ones."""

import numpy as np
from scipy.sparse import csr_array

from penchant.behaviours import Behaviours
from penchant.types import I64


def had(histories: Behaviours, n_items: int, users: I64 | None = None) -> csr_array:
    """float32 csr[len(users), n_items]: 1 where a person had an item, however often. users: everybody by default."""
    chosen = np.arange(histories.n_users) if users is None else users
    starts, counts = histories.offsets[chosen], histories.counts[chosen]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    events = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
    items = histories.items[events]
    matrix = csr_array((np.ones(len(items), np.float32), items, offsets), shape=(len(chosen), n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
