"""The bound is the paper's, by brute force; never wrong about an honest mechanism, strong about a leaky one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import BadInput
from penchant.privacy.calibrate import gaussian_loss_for
from penchant.privacy.one_run import epsilon_bound, lower_bound, membership, p_value
from penchant.types import F64, Bool


def _oracle(epsilon: float, m: int, r: int, v: int, delta: float) -> float:
    """The formula, term by term, in plain sums."""
    q = math.exp(epsilon) / (1 + math.exp(epsilon))
    mass = [math.comb(r, k) * q**k * (1 - q) ** (r - k) for k in range(r + 1)]
    alpha = max((sum(mass[v - i : v]) / i for i in range(1, v + 1)), default=0.0)
    return min(1.0, sum(mass[v:]) + 2 * m * delta * alpha)


@settings(deadline=None)
@given(
    epsilon=st.floats(0, 4),
    r=st.integers(2, 60),
    share=st.floats(0, 1),
    delta=st.sampled_from([0.0, 1e-6, 1e-3]),
)
def test_the_p_value_is_the_formula(epsilon: float, r: int, share: float, delta: float) -> None:
    v = round(share * r)
    ours = p_value(epsilon, canaries=100, guesses=r, right=v, delta=delta)
    assert ours == pytest.approx(_oracle(epsilon, 100, r, v, delta), rel=1e-9, abs=1e-12)


def test_all_right_of_two_hundred() -> None:
    """Without delta: q^200 = 0.05, so epsilon = ln(q / (1 - q)) with q = 0.05^(1/200)."""
    q = 0.05 ** (1 / 200)
    bound = epsilon_bound(canaries=1000, guesses=200, right=200, delta=0.0, confidence=0.95)
    assert bound == pytest.approx(math.log(q / (1 - q)), abs=1e-4)
    assert epsilon_bound(canaries=1000, guesses=200, right=100, delta=0.0, confidence=0.95) == 0


def _randomised_response(epsilon: float, m: int, rng: np.random.Generator) -> tuple[F64, Bool]:
    """Each coin is told truly with probability e^epsilon / (1 + e^epsilon): as leaky as epsilon allows."""
    coins = rng.random(m) < 0.5
    truly = rng.random(m) < math.exp(epsilon) / (1 + math.exp(epsilon))
    return np.where(coins == truly, 1.0, 0.0) + 1e-9 * rng.random(m), coins


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_the_leakiest_mechanism_is_accused_wrongly_at_most_once_in_twenty(epsilon: float) -> None:
    rng = np.random.default_rng(0)
    bounds = [
        lower_bound(*_randomised_response(epsilon, 400, rng), guesses=400, delta=0.0).epsilon
        for _ in range(400)
    ]
    assert np.mean(np.array(bounds) > epsilon) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert np.median(bounds) > 0.5 * epsilon


def test_gaussian_noise_for_a_claim_gives_a_bound_below_the_claim_and_a_tenth_of_it_does_not() -> None:
    rng, mu = np.random.default_rng(0), gaussian_loss_for(2.0, delta=1e-5)
    coins = rng.random(1000) < 0.5

    def bound(noise: float) -> float:
        scores = coins + noise * rng.normal(size=1000) / mu
        return lower_bound(scores, coins, guesses=200, delta=1e-5).epsilon

    assert 0 < bound(1.0) < 2.0
    assert bound(0.1) > 2.0


def test_delta_costs_power_and_never_gives_any() -> None:
    terms = {"canaries": 1000, "guesses": 200, "right": 190, "confidence": 0.95}
    bounds = [epsilon_bound(**terms, delta=delta) for delta in (0.0, 1e-6, 1e-4, 1e-2)]  # type: ignore[arg-type]
    assert bounds == sorted(bounds, reverse=True)


def test_guessing_needs_canaries_and_numbers() -> None:
    coins = np.ones(4, bool)
    with pytest.raises(BadInput, match="5 guesses about 4"):
        lower_bound(np.zeros(4), coins, guesses=5, delta=0.0)
    with pytest.raises(BadInput, match="numbers"):
        lower_bound(np.full(4, np.nan), coins, guesses=2, delta=0.0)


def test_membership_by_hand() -> None:
    found = membership(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
    assert found.auc == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    rng = np.random.default_rng(0)
    chance = membership(rng.normal(size=4000), rng.normal(size=4000))
    assert chance.auc == pytest.approx(0.5, abs=0.02)
    assert chance.tpr_at_1_percent == pytest.approx(0.01, abs=0.006)
    perfect = membership(rng.normal(10, 1, 2000), rng.normal(size=2000))
    assert (perfect.auc, perfect.tpr_at_01_percent) == (1.0, 1.0)
    with pytest.raises(BadInput, match="not"):
        membership(np.ones(2), np.empty(0))
