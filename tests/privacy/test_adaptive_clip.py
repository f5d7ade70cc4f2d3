"""The bound finds its quantile through noise, and what it costs is in the price."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.errors import BadInput
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.adaptive_clip import QuantileClip, no_votes, shared_out, votes
from penchant.privacy.events import GaussianSum
from penchant.privacy.noise import CryptographicNoise
from penchant.strategies import Guarantee
from penchant.types import NoiseAt, Unit

CLIP = QuantileClip(quantile=0.5, learning_rate=0.2, noise_multiplier=10.0)


def _updates(rng: np.random.Generator, people: int) -> np.ndarray:
    directions = rng.normal(size=(people, 5))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return (directions * rng.lognormal(0, 0.5, size=(people, 1))).astype(np.float32)


@pytest.mark.parametrize(("quantile", "norm"), [(0.5, 1.0), (0.9, 1.898)])
@pytest.mark.parametrize("start", [0.05, 20.0])
def test_the_bound_finds_its_quantile_from_anywhere(quantile: float, norm: float, start: float) -> None:
    rng, bound = np.random.default_rng(0), start
    clip = QuantileClip(quantile, 0.2, 10.0)
    for _ in range(250):
        cast = no_votes().plus(votes(_updates(rng, 1000), bound=bound))
        bound = clip.next_bound(bound, cast, expected=1000, noise=CryptographicNoise())
    assert bound == pytest.approx(norm, rel=0.15)


def test_one_person_moves_the_votes_by_half() -> None:
    updates = _updates(np.random.default_rng(0), 20)
    everyone = no_votes().plus(votes(updates, bound=1.0)).values
    without = no_votes().plus(votes(updates[1:], bound=1.0)).values
    assert abs(everyone - without)[0] == 0.5


def test_nobody_voting_leaves_the_bound_to_chance_around_the_middle() -> None:
    quiet = QuantileClip(quantile=0.5, learning_rate=0.2, noise_multiplier=1e-3)
    assert quiet.next_bound(1.0, no_votes(), expected=100, noise=CryptographicNoise()) == pytest.approx(
        1.0, rel=1e-3
    )


@given(z=st.floats(0.5, 50), share=st.floats(0.01, 0.99))
def test_update_and_votes_together_cost_what_one_release_did(z: float, share: float) -> None:
    update, cast = shared_out(z, share=share)
    assert update**-2 + cast**-2 == pytest.approx(z**-2, rel=1e-12)
    assert update > z


def test_update_and_votes_are_charged_as_one_contribution() -> None:
    update, cast = shared_out(4.65, share=0.1)
    assert QuantileClip(0.5, 0.2, cast).left_of(4.65) == pytest.approx(update, rel=1e-12)
    apart = [GaussianSum(update, Unit.USER), GaussianSum(cast, Unit.USER)] * 60
    together = [GaussianSum(4.65, Unit.USER)] * 60
    priced = [PLDAccountant().epsilon(events, delta=1e-5) for events in (apart, together)]
    assert priced == pytest.approx([8.0, 8.0], rel=1e-3)


def test_votes_that_cost_more_than_is_charged_are_refused() -> None:
    with pytest.raises(BadInput, match="votes alone cost as much"):
        CLIP.left_of(10.0)
    with pytest.raises(BadInput, match="votes alone cost as much"):
        Guarantee(Unit.USER, NoiseAt.SERVER, 0.3, 11.0, following=CLIP)


@pytest.mark.parametrize(
    ("unit", "noise_at", "band"),
    [(Unit.EVENT, NoiseAt.SERVER, 1), (Unit.USER, NoiseAt.CLIENT, 1), (Unit.USER, NoiseAt.SERVER, 4)],
)
def test_it_goes_with_whole_people_a_trusted_server_and_independent_noise(
    unit: Unit, noise_at: NoiseAt, band: int
) -> None:
    with pytest.raises(BadInput, match="follows a quantile"):
        Guarantee(unit, noise_at, 0.3, 2.0, band=band, following=CLIP)


@pytest.mark.parametrize("terms", [(0.0, 0.2, 1.0), (1.0, 0.2, 1.0), (0.5, 0.0, 1.0)])
def test_settings_that_cannot_be(terms: tuple[float, float, float]) -> None:
    with pytest.raises(BadInput):
        QuantileClip(*terms)
    with pytest.raises(BadInput, match="share"):
        shared_out(1.0, share=1.0)
