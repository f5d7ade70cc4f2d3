"""What an attack proves: a lower bound on epsilon from canaries that were each in or out of one run by a fair coin."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom, rankdata

from penchant.errors import BadInput
from penchant.types import F64, Bool


@dataclass(frozen=True, slots=True)
class EmpiricalBound:
    """With `confidence`, no mechanism that is private with a smaller epsilon lets so many guesses be right.

    canaries: coins thrown.  guesses: those that the attacker dared to tell.  right: those told rightly.
    most: the bound that all guesses right would have given; so few guesses cannot refute a claim above it.
    """

    epsilon: float
    most: float
    canaries: int
    guesses: int
    right: int
    delta: float
    confidence: float


def lower_bound(
    scores: F64, included: Bool, *, guesses: int, delta: float, confidence: float = 0.95
) -> EmpiricalBound:
    """Guess `in` for the highest scores and `out` for the lowest, half each, and count.

    scores: float64[m], computed without `included`: bool[m], the coins.
    Guarantee: holds for every mechanism and attacker; a weak attacker makes it small, never wrong.
    Source: Steinke, Nasr and Jagielski 2023, arXiv:2305.08846, Theorem 5.2 and Appendix D.
    """
    if not 2 <= guesses <= len(scores) or not np.isfinite(scores).all():
        raise BadInput(
            f"{guesses} guesses about {len(scores)} canaries: 2 or more, about scores that are numbers"
        )
    order = np.argsort(scores, kind="stable")
    half = guesses // 2
    right = int(included[order[-half:]].sum() + (~included[order[:half]]).sum())

    def bound(right: int) -> float:
        return epsilon_bound(
            canaries=len(scores), guesses=2 * half, right=right, delta=delta, confidence=confidence
        )

    return EmpiricalBound(bound(right), bound(2 * half), len(scores), 2 * half, right, delta, confidence)


def epsilon_bound(*, canaries: int, guesses: int, right: int, delta: float, confidence: float) -> float:
    """The largest epsilon that so many right guesses refute at the confidence; 0 where they refute none."""

    def excess(epsilon: float) -> float:
        p = p_value(epsilon, canaries=canaries, guesses=guesses, right=right, delta=delta)
        return p - (1 - confidence)

    if excess(0.0) >= 0:
        return 0.0
    return float(brentq(excess, 0.0, _hopeless(excess), xtol=1e-6)) - 1e-6


def p_value(epsilon: float, *, canaries: int, guesses: int, right: int, delta: float) -> float:
    """The most likely that so many guesses are right by chance, where (epsilon, delta) holds.

    P[Bin(r, q) >= v] + 2 m delta max over 1 <= i <= v of P[v - i <= Bin(r, q) < v] / i, q = 1 / (1 + e^-epsilon).
    """
    q = 1 / (1 + np.exp(-epsilon))
    alpha = 0.0
    if right and delta:
        steps = np.arange(1, right + 1)
        below = np.cumsum(binom.pmf(right - steps, guesses, q))
        alpha = float((below / steps).max())
    return float(min(1.0, binom.sf(right - 1, guesses, q) + 2 * canaries * delta * alpha))


def _hopeless(excess: Callable[[float], float]) -> float:
    high = 1.0
    while excess(high) < 0:
        high += 1
    return high


@dataclass(frozen=True, slots=True)
class Membership:
    """How well scores tell who was trained on. auc: 0.5 is chance. tpr: share found at a share of false alarms."""

    auc: float
    tpr_at_1_percent: float
    tpr_at_01_percent: float
    members: int
    others: int


def membership(members: F64, others: F64) -> Membership:
    """Scores of people who were trained on and of people who were not: higher should mean the former."""
    if not len(members) or not len(others):
        raise BadInput("membership needs people who were trained on, and people who were not")
    everyone = np.concatenate([members, others])
    ranks = _average_ranks(everyone)[: len(members)]
    auc = (ranks.sum() - len(members) * (len(members) + 1) / 2) / (len(members) * len(others))
    found = {rate: float((members > _threshold(others, rate)).mean()) for rate in (0.01, 0.001)}
    return Membership(float(auc), found[0.01], found[0.001], len(members), len(others))


def _average_ranks(values: F64) -> F64:
    return np.asarray(rankdata(values), dtype=np.float64)


def _threshold(others: F64, rate: float) -> float:
    """At most `rate` of the others lie above it."""
    return float(np.sort(others)[::-1][int(rate * len(others))])
