"""Known answers, two libraries that agree, and a closed form that both must meet."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import BadInput, CheckFailed
from penchant.privacy import pricing
from penchant.privacy.accountants import PLDAccountant, PRVAccountant, RDPAccountant
from penchant.privacy.calibrate import gaussian_delta
from penchant.privacy.events import GaussianSum, PoissonGaussianSum
from penchant.privacy.pricing import cross_checked
from penchant.types import Sampling, Unit

PLD, RDP = PLDAccountant(), RDPAccountant()


def _user(noise_multiplier: float, rounds: int) -> list[GaussianSum]:
    return [GaussianSum(noise_multiplier, Unit.USER)] * rounds


def _sampled(rate: float, noise_multiplier: float, rounds: int) -> list[PoissonGaussianSum]:
    return [PoissonGaussianSum(rate, noise_multiplier, Unit.EVENT)] * rounds


@pytest.mark.parametrize(("noise_multiplier", "epsilon"), [(4.65, 8.0), (10.77, 3.0), (28.9, 1.0)])
def test_sixty_full_rounds(noise_multiplier: float, epsilon: float) -> None:
    priced = cross_checked(_user(noise_multiplier, 60), delta=1e-5)
    assert priced.epsilon == pytest.approx(epsilon, rel=1e-3)
    assert priced.epsilon_unamplified == priced.epsilon
    assert priced.sampling is Sampling.ALL
    assert priced.cross_check.startswith("PRV")
    assert priced.cross_check_epsilon == pytest.approx(epsilon, abs=0.02)


def test_poisson_sampling_by_three_methods() -> None:
    priced = cross_checked(_sampled(0.1, 1.0, 100), delta=1e-5)
    assert priced.epsilon == pytest.approx(7.05, rel=2e-3)
    assert priced.cross_check_epsilon == pytest.approx(7.05, abs=0.03)
    assert priced.epsilon_unamplified == pytest.approx(91.8, rel=1e-3)
    assert priced.sampling is Sampling.POISSON
    assert RDP.epsilon(_sampled(0.1, 1.0, 100), delta=1e-5) == pytest.approx(7.90, rel=2e-3)


def test_one_accountant_for_life_not_one_a_round() -> None:
    assert PLD.epsilon(_sampled(16 / 120, 1.0, 400), delta=1e-3) == pytest.approx(15.5, rel=5e-3)
    assert PLD.epsilon(_sampled(16 / 120, 1.0, 8), delta=1e-3) == pytest.approx(1.9, rel=5e-3)


@settings(deadline=None, max_examples=12)
@given(st.floats(0.5, 50), st.integers(1, 200), st.floats(1e-9, 1e-3))
def test_the_closed_form_of_the_gaussian_is_met_from_above(
    noise_multiplier: float, rounds: int, delta: float
) -> None:
    epsilon = PLD.epsilon(_user(noise_multiplier, rounds), delta=delta)
    mu = rounds**0.5 / noise_multiplier
    assert gaussian_delta(mu, epsilon=epsilon) <= delta * (1 + 1e-6)
    assert gaussian_delta(mu, epsilon=epsilon * 0.999 - 1e-5) >= delta * (1 - 1e-6)


def test_different_rounds_compose_together() -> None:
    mixed = [*_user(3.0, 2), *_user(4.0, 1)]
    merged = (2 / 9 + 1 / 16) ** -0.5
    assert PLD.epsilon(mixed, delta=1e-5) == pytest.approx(
        PLD.epsilon(_user(merged, 1), delta=1e-5), rel=1e-9
    )


def test_more_rounds_less_noise_and_smaller_delta_all_cost_more() -> None:
    base = PLD.epsilon(_sampled(0.1, 1.0, 50), delta=1e-5)
    assert PLD.epsilon(_sampled(0.1, 1.0, 51), delta=1e-5) > base
    assert PLD.epsilon(_sampled(0.1, 0.9, 50), delta=1e-5) > base
    assert PLD.epsilon(_sampled(0.11, 1.0, 50), delta=1e-5) > base
    assert PLD.epsilon(_sampled(0.1, 1.0, 50), delta=1e-6) > base


def test_nothing_charged_costs_nothing() -> None:
    assert PLD.epsilon([], delta=1e-5) == 0
    with pytest.raises(BadInput, match="nothing was charged"):
        cross_checked([], delta=1e-5)


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-5, 2.0, float("nan")])
def test_delta_out_of_range_is_refused(delta: float) -> None:
    with pytest.raises(BadInput, match="delta"):
        cross_checked(_user(1.0, 1), delta=delta)


def test_units_are_never_added_up() -> None:
    with pytest.raises(BadInput, match="different units"):
        cross_checked([GaussianSum(1.0, Unit.USER), GaussianSum(1.0, Unit.EVENT)], delta=1e-5)


def test_where_prv_fails_rdp_speaks_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> float:
        raise ArithmeticError

    monkeypatch.setattr(PRVAccountant, "epsilon", fails)
    priced = cross_checked(_user(4.65, 60), delta=1e-5)
    assert priced.cross_check.startswith("RDP")
    assert priced.cross_check_epsilon == pytest.approx(8.6, rel=0.01)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_disagreement_is_an_error(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    honest = PRVAccountant().epsilon(_user(4.65, 60), delta=1e-5)
    monkeypatch.setattr(PRVAccountant, "epsilon", lambda *_, **__: factor * honest)
    with pytest.raises(CheckFailed, match="disagree"):
        cross_checked(_user(4.65, 60), delta=1e-5)


def test_a_hopeless_epsilon_is_priced_all_the_same_by_rdp() -> None:
    priced = pricing.cross_checked(_user(0.05, 1), delta=1e-5)
    assert priced.epsilon == pytest.approx(284.39, rel=1e-3)
    assert priced.cross_check.startswith("RDP")
