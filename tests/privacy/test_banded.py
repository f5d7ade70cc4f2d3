"""Correlated noise: what the matrices say, how much it gains, and that nobody takes part too often for its price."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import BadInput, CheckFailed
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.banded import BandedNoise, best_band, coefficients, column_norm, prefix_error
from penchant.privacy.clip import ClippedSum
from penchant.privacy.events import BandedGaussianSum, GaussianSum
from penchant.privacy.ledger import Budget, Ledger
from penchant.privacy.mechanism import release
from penchant.privacy.noise import CryptographicNoise, NoiseSource, ReproducibleNoise
from penchant.types import F64, Unit

EVENT = BandedGaussianSum(4.65, 3, Unit.USER)


def _matrix(band: int, rounds: int) -> F64:
    """C itself."""
    made = np.zeros((rounds, rounds))
    for back, coefficient in enumerate(coefficients(band)):
        made += coefficient * np.eye(rounds, k=-back)
    return made


def test_the_whole_band_is_the_square_root_of_the_prefix_sums() -> None:
    root = _matrix(12, 12)
    assert root @ root == pytest.approx(np.tril(np.ones((12, 12))))


@settings(max_examples=60)
@given(band=st.integers(1, 6), rounds=st.integers(1, 18), data=st.data())
def test_nobody_moves_it_further_than_it_is_priced_for(band: int, rounds: int, data: st.DataObject) -> None:
    """Brute force over where somebody takes part, and with which directions: at least `band` apart, norm 1 each."""
    taken: list[int] = []
    for round_ in range(rounds):
        if (not taken or round_ - taken[-1] >= band) and data.draw(st.booleans()):
            taken.append(round_)
    contributions = np.zeros((rounds, 3))
    for round_ in taken:
        direction = np.array(data.draw(st.tuples(*[st.floats(-1, 1)] * 3)))
        contributions[round_] = direction / max(float(np.linalg.norm(direction)), 1e-9)
    moved = np.linalg.norm(_matrix(band, rounds) @ contributions)
    assert moved <= np.sqrt(len(taken)) * column_norm(band) * (1 + 1e-9)


def test_rounds_closer_than_the_band_would_move_it_further() -> None:
    """The mistake that the ledger refuses."""
    contributions = np.zeros((8, 1))
    contributions[[2, 3]] = 1.0
    assert np.linalg.norm(_matrix(4, 8) @ contributions) > np.sqrt(2) * column_norm(4) * 1.1


@pytest.mark.parametrize(
    "source", [lambda _: CryptographicNoise(), lambda round_: ReproducibleNoise(0, round_)]
)
def test_the_noise_of_all_rounds_is_the_inverse_matrix_times_independent_noise(
    source: Callable[[int], NoiseSource],
) -> None:
    noise = BandedNoise(source, band=3)
    drawn = np.array([noise(round_).standard_normal(20_000) for round_ in range(1, 7)])
    whitened = _matrix(3, 6) @ drawn
    assert np.cov(whitened) == pytest.approx(np.eye(6), abs=0.05)


@pytest.mark.parametrize(("band", "rounds"), [(1, 40), (2, 40), (8, 40), (16, 100)])
def test_the_error_is_that_of_the_matrices(band: int, rounds: int) -> None:
    prefix = np.tril(np.ones((rounds, rounds))) @ np.linalg.inv(_matrix(band, rounds))
    expected = column_norm(band) * np.sqrt((prefix**2).sum(axis=1).mean())
    assert prefix_error(band, rounds) == pytest.approx(expected)


def test_the_noise_in_the_sum_of_all_releases_is_as_promised() -> None:
    band, rounds, z = 8, 40, 2.0
    noise, total = BandedNoise(lambda _: CryptographicNoise(), band=band), np.zeros(4000)
    squares = []
    for round_ in range(1, rounds + 1):
        nothing = ClippedSum.empty(4000, bound=1.0)
        total = total + release(nothing, noise_multiplier=z * column_norm(band), noise=noise(round_))
        squares.append((total**2).mean())
    assert np.sqrt(np.mean(squares)) == pytest.approx(z * prefix_error(band, rounds), rel=0.05)


@pytest.mark.parametrize(("separation", "gain"), [(1, 1.0), (4, 0.59), (16, 0.42)])
def test_correlation_gains_what_separation_allows(separation: int, gain: float) -> None:
    band = best_band(separation, 60)
    assert band <= separation
    assert prefix_error(band, 60) / prefix_error(1, 60) == pytest.approx(gain, abs=0.005)


def test_a_resumed_simulation_draws_the_same_noise_and_protecting_noise_begins_anew() -> None:
    whole = BandedNoise(lambda round_: ReproducibleNoise(0, round_), band=4)
    expected = [whole(round_).standard_normal(10) for round_ in range(1, 9)]
    resumed = BandedNoise(lambda round_: ReproducibleNoise(0, round_), band=4)
    assert np.allclose([resumed(round_).standard_normal(10) for round_ in range(6, 9)], expected[5:])
    anew = BandedNoise(lambda _: CryptographicNoise(), band=4)
    assert anew(6).standard_normal(100_000).std() == pytest.approx(1.0, abs=0.02)
    assert anew(7).standard_normal(100_000).std() == pytest.approx(np.sqrt(1.25), abs=0.02)


def test_only_noise_that_protects_says_so() -> None:
    assert BandedNoise(lambda _: CryptographicNoise(), band=2)(1).protects
    assert not BandedNoise(lambda round_: ReproducibleNoise(0, round_), band=2)(1).protects


def test_the_ledger_holds_people_to_the_rounds_that_their_price_rests_on(tmp_path: Path) -> None:
    budget = Budget(1e9, 1e-5)
    with Ledger(tmp_path / "ledger.sqlite", run_id="run") as ledger:
        for round_, people in enumerate([["a"], ["b"], ["c"], ["a"]], start=1):
            ledger.reserve(round_, EVENT, budget=budget, reproducible=False, people=people)
        with pytest.raises(
            CheckFailed, match="round 3 takes part again in round 5, less than 3 rounds later"
        ):
            ledger.reserve(5, EVENT, budget=budget, reproducible=False, people=["b", "c"])
        with pytest.raises((BadInput, CheckFailed), match="needs the names"):
            ledger.reserve(5, EVENT, budget=budget, reproducible=False)
        plain = [GaussianSum(4.65, Unit.USER)] * 2
        assert ledger.epsilon(delta=1e-5, person="a") == pytest.approx(
            PLDAccountant().epsilon(plain, delta=1e-5)
        )


def test_a_band_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="band of 0"):
        coefficients(0)
    with pytest.raises(BadInput, match="band of 1"):
        BandedGaussianSum(1.0, 1, Unit.USER)
