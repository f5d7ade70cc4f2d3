"""A calibration keeps its promise, wastes little, and refuses the impossible by name."""

from math import log, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import BadInput, BudgetExceeded
from penchant.privacy.calibrate import (
    checked_delta_for,
    epsilon_of,
    gaussian_delta,
    gaussian_loss_for,
    noise_multiplier_for,
    rounds_for,
)


@pytest.mark.parametrize(("epsilon", "noise_multiplier"), [(8.0, 4.65), (3.0, 10.77), (1.0, 28.9)])
def test_known_answers(epsilon: float, noise_multiplier: float) -> None:
    assert noise_multiplier_for(epsilon, delta=1e-5, rounds=60) == pytest.approx(noise_multiplier, rel=1e-3)


@settings(deadline=None, max_examples=10)
@given(epsilon=st.floats(0.05, 20), rounds=st.integers(1, 500), delta=st.floats(1e-9, 1e-3))
def test_full_rounds_stay_within_the_wish_and_close_to_it(epsilon: float, rounds: int, delta: float) -> None:
    noise_multiplier = noise_multiplier_for(epsilon, delta=delta, rounds=rounds)
    assert epsilon_of(noise_multiplier, delta=delta, rounds=rounds) <= epsilon
    assert epsilon_of(noise_multiplier * 0.999, delta=delta, rounds=rounds) > epsilon
    assert rounds_for(epsilon, delta=delta, noise_multiplier=noise_multiplier) == rounds


@pytest.mark.parametrize(("epsilon", "rate", "rounds"), [(7.0466, 0.1, 100), (1.0, 0.01, 300)])
def test_sampled_rounds_stay_within_the_wish_and_close_to_it(
    epsilon: float, rate: float, rounds: int
) -> None:
    noise_multiplier = noise_multiplier_for(epsilon, delta=1e-5, rounds=rounds, rate=rate)
    assert epsilon_of(noise_multiplier, delta=1e-5, rounds=rounds, rate=rate) <= epsilon
    assert epsilon_of(noise_multiplier * 0.999, delta=1e-5, rounds=rounds, rate=rate) > epsilon


def test_rounds_of_a_sampled_plan() -> None:
    rounds = rounds_for(2.0, delta=1e-5, noise_multiplier=1.0, rate=0.05)
    assert epsilon_of(1.0, delta=1e-5, rounds=rounds, rate=0.05) <= 2.0
    assert epsilon_of(1.0, delta=1e-5, rounds=rounds + 1, rate=0.05) > 2.0


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("nan"), float("inf")])
def test_an_epsilon_that_is_no_wish(epsilon: float) -> None:
    with pytest.raises(BadInput, match="epsilon"):
        noise_multiplier_for(epsilon, delta=1e-5, rounds=60)


@pytest.mark.parametrize("rounds", [0, -1, 10**9])
def test_rounds_that_cannot_be(rounds: int) -> None:
    with pytest.raises(BadInput, match="rounds"):
        noise_multiplier_for(8.0, delta=1e-5, rounds=rounds)


@pytest.mark.parametrize("delta", [0.0, 1.0])
def test_delta_out_of_range(delta: float) -> None:
    with pytest.raises(BadInput, match="delta"):
        noise_multiplier_for(8.0, delta=delta, rounds=60)


def test_delta_must_be_below_one_over_the_people() -> None:
    assert checked_delta_for(1e-5, people=943) == 1e-5
    with pytest.raises(BadInput, match=r"must be below 0\.0011"):
        checked_delta_for(1 / 943, people=943)


def test_the_impossible_is_refused_with_what_would_do() -> None:
    with pytest.raises(BudgetExceeded, match=r"raise the noise multiplier to 0\.600"):
        rounds_for(8.0, delta=1e-5, noise_multiplier=0.1)
    with pytest.raises(BudgetExceeded, match="nothing could be learnt"):
        noise_multiplier_for(1e-9, delta=1e-9, rounds=1_000_000)


def test_the_textbook_formula_is_not_used_where_it_is_not_proved() -> None:
    """sqrt(2 ln(1.25/delta))/epsilon is proved below 1 only: at 20 it breaks its promise a hundredfold."""
    textbook = 20.0 / sqrt(2 * log(1.25 / 1e-5))
    assert gaussian_delta(textbook, epsilon=20.0) > 100 * 1e-5
    assert gaussian_loss_for(20.0, delta=1e-5) < textbook
    assert gaussian_delta(gaussian_loss_for(20.0, delta=1e-5), epsilon=20.0) == pytest.approx(1e-5, rel=1e-6)
