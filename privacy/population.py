"""What each of many people has spent, priced together: thousands of different histories in seconds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from opacus.accountants.analysis.rdp import compute_rdp
from scipy.special import log_ndtr, ndtr

from penchant.errors import CheckFailed
from penchant.privacy.accountants import RENYI_ORDERS, PLDAccountant, checked_delta
from penchant.privacy.events import PoissonGaussianSum, PrivacyEvent
from penchant.types import F64

History = Mapping[PrivacyEvent, int]
"""How often each event happened to one person, over all runs and devices."""

_BY_PLD: Final = 32
"""So many different sampled histories are priced one by one; more by Renyi divergence: looser, never lower."""

_BISECTIONS: Final = 60
_HOPELESS: Final = 1e12
"""Stands for a divergence that Opacus cannot tell: infinity, times no events, would be NaN."""


def epsilons(histories: Sequence[History], *, delta: float) -> F64:
    """Each person's epsilon, float64[n]; 0 where nothing was spent.

    Parallel composition: people are different rows of the data, so a run costs the maximum over them, never the sum.
    Method: what was never sampled composes to one Gaussian, whose exact price is known in closed form and is held
    against PLD at both ends. Sampled histories go through PLD while few differ, through Renyi divergence beyond.
    Raises: CheckFailed where closed form and PLD differ by more than 0.1%.
    """
    checked_delta(delta)
    spent = np.zeros(len(histories))
    plain = [
        i for i, h in enumerate(histories) if h and not any(isinstance(e, PoissonGaussianSum) for e in h)
    ]
    sampled = [i for i, h in enumerate(histories) if any(isinstance(e, PoissonGaussianSum) for e in h)]
    spent[plain] = _plain([histories[i] for i in plain], delta)
    spent[sampled] = _sampled([histories[i] for i in sampled], delta)
    return spent


def _plain(histories: Sequence[History], delta: float) -> F64:
    if not histories:
        return np.empty(0)
    losses = np.sqrt([sum(n / e.noise_multiplier**2 for e, n in history.items()) for history in histories])
    spent = gaussian_epsilons(losses, delta=delta)
    for extreme in (int(losses.argmin()), int(losses.argmax())):
        exact = PLDAccountant().epsilon(Counter(histories[extreme]).elements(), delta=delta)
        if abs(exact - spent[extreme]) > 1e-3 * exact + 1e-6:
            raise CheckFailed(f"accountants disagree: closed form {spent[extreme]:.5f}, PLD {exact:.5f}")
    return spent


def gaussian_epsilons(mu: F64, *, delta: float) -> F64:
    """The exact epsilon of Gaussian releases with sensitivity over noise `mu`, float64[n] -> float64[n], rounded up.

    Source: Balle and Wang 2018, arXiv:1805.06530, Theorem 8, solved for epsilon by bisection.
    """
    low, high = np.zeros_like(mu), mu**2 / 2 + mu * 40
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        far = np.exp(np.minimum(middle + log_ndtr(-mu / 2 - middle / mu), 0))
        enough = ndtr(mu / 2 - middle / mu) - far <= delta
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _sampled(histories: Sequence[History], delta: float) -> F64:
    distinct = {frozenset(history.items()) for history in histories}
    if len(distinct) > _BY_PLD:
        return _by_renyi(histories, delta)
    prices = {key: PLDAccountant().epsilon(Counter(dict(key)).elements(), delta=delta) for key in distinct}
    return np.array([prices[frozenset(history.items())] for history in histories])


def _by_renyi(histories: Sequence[History], delta: float) -> F64:
    """Renyi divergences add up: counts times one curve an event, then the conversion of Balle et al. 2020."""
    events = sorted({event for history in histories for event in history}, key=repr)
    curves = np.array([_curve(event) for event in events])
    counts = np.array(
        [[history.get(event, 0) for event in events] for history in histories], dtype=np.float64
    )
    orders = np.array(RENYI_ORDERS)
    conversion = np.log1p(-1 / orders) - (np.log(delta) + np.log(orders)) / (orders - 1)
    best: F64 = (counts @ curves + conversion).min(axis=1)
    return np.maximum(best, 0)


def _curve(event: PrivacyEvent) -> F64:
    rate = event.rate if isinstance(event, PoissonGaussianSum) else 1.0
    curve = compute_rdp(q=rate, noise_multiplier=event.noise_multiplier, steps=1, orders=list(RENYI_ORDERS))
    return np.nan_to_num(np.asarray(curve, dtype=np.float64), nan=_HOPELESS, posinf=_HOPELESS)
