"""Company condensed into tastes: the few directions in which items differ most by whom they please.

Pairs tell what goes with what one by one. Where a person's long past is asked, in no order, that is too fine and too
loud at once: the noise of each pair gets in, and what many events have in common is said again by each of them.
"""

from typing import Final

import numpy as np

from penchant.types import F32, F64

_EVENTS: Final = 30.0
"""As many events are taken to speak at once."""


def condensed(excess: F32, liked: F64, directions: int) -> F32:
    """The same excesses, without what few have in common and with less of what all say alike.

    In the eigenvectors of the excess, each item weighed by the root of how much it is liked, the `directions` largest
    eigenvalues λ become λ (1 + nλ₁) / (1 + nλ), λ₁ the largest and n = 30; the others 0. Were tastes Gaussian, a
    person's would be expected at 1 / (1 + nλ) of what n events say in sum: Rasmussen and Williams 2006, Gaussian
    Processes for Machine Learning, equation 2.25, in the eigenvectors.

    excess: float32[m, m], symmetric.  liked: float64[m], above 0.  Returns: float32[m, m], at least -1.
    """
    root = np.sqrt(liked / liked.sum())
    weighed = np.outer(root, root)
    values, vectors = np.linalg.eigh(excess * weighed)
    largest = np.argsort(-values)[:directions]
    kept, vectors = np.maximum(values[largest], 0), vectors[:, largest]
    drawn = kept * (1 + _EVENTS * kept.max(initial=0)) / (1 + _EVENTS * kept)
    return np.asarray(np.maximum((vectors * drawn) @ vectors.T / weighed, -1), np.float32)
