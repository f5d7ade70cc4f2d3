"""Noise is Gaussian, of the stated size, never the same twice, and hides the lowest bits."""

import numpy as np
import pytest
from scipy import stats

from penchant.errors import BadInput
from penchant.privacy.clip import ClippedSum, clip
from penchant.privacy.mechanism import grid_step, release
from penchant.privacy.noise import CryptographicNoise, NoiseSource, ReproducibleNoise

SOURCES: list[NoiseSource] = [CryptographicNoise(), ReproducibleNoise(0, 1)]


class _Fixed:
    """A source whose samples a test knows."""

    protects = False

    def __init__(self, value: float) -> None:
        self.value = value

    def standard_normal(self, size: int) -> np.ndarray:
        return np.full(size, self.value)


@pytest.mark.parametrize("source", SOURCES)
def test_samples_follow_the_normal_law_in_body_and_tails(source: NoiseSource) -> None:
    samples = source.standard_normal(400_000)
    assert stats.kstest(samples, "norm").pvalue > 1e-6
    for threshold in (2.0, 3.0, 4.0):
        seen, expected = (np.abs(samples) > threshold).sum(), 400_000 * 2 * stats.norm.sf(threshold)
        assert abs(seen - expected) < 6 * np.sqrt(expected)


@pytest.mark.parametrize("source", SOURCES)
def test_neighbouring_samples_are_independent(source: NoiseSource) -> None:
    samples = source.standard_normal(200_000)
    for lag in (1, 2, 16_384):
        assert abs(np.corrcoef(samples[:-lag], samples[lag:])[0, 1]) < 6 / np.sqrt(200_000)
        assert abs(np.corrcoef(samples[:-lag] ** 2, samples[lag:] ** 2)[0, 1]) < 6 / np.sqrt(200_000)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 32_767, 32_768, 32_769])
def test_every_size_is_served(size: int) -> None:
    assert CryptographicNoise().standard_normal(size).shape == (size,)


def test_cryptographic_noise_never_repeats_and_no_seed_reaches_it() -> None:
    np.random.seed(0)
    first = CryptographicNoise().standard_normal(64)
    np.random.seed(0)
    assert not np.isin(first, CryptographicNoise().standard_normal(64)).any()


def test_reproducible_noise_says_that_it_protects_nobody() -> None:
    assert CryptographicNoise().protects
    assert not ReproducibleNoise(1, 2).protects
    assert np.array_equal(
        ReproducibleNoise(1, 2).standard_normal(9), ReproducibleNoise(1, 2).standard_normal(9)
    )
    assert not np.isin(
        ReproducibleNoise(1, 2).standard_normal(9), ReproducibleNoise(1, 3).standard_normal(9)
    ).any()


def test_a_release_has_the_noise_that_its_event_claims() -> None:
    total = ClippedSum.empty(200_000, bound=0.3)
    noised = release(total, noise_multiplier=4.65, noise=CryptographicNoise())
    assert noised.std() == pytest.approx(4.65 * 0.3, rel=0.01)
    assert noised.std() >= 4.65 * 0.3 * 0.99


def test_the_lowest_bits_tell_nothing() -> None:
    """Two neighbouring sums can lead to the very same set of outputs: multiples of one step."""
    updates = np.random.default_rng(0).normal(size=(20, 300)).astype(np.float32)
    step = grid_step(2.0)
    for rows in (updates, updates[1:]):
        total = ClippedSum.empty(300, bound=1.0).plus(clip(rows, bound=1.0))
        assert not np.any(release(total, noise_multiplier=2.0, noise=CryptographicNoise()) % step)


def test_noise_is_raised_by_what_rounding_can_add() -> None:
    total = ClippedSum.empty(10_000, bound=1.0)
    step = grid_step(2.0)
    std = release(total, noise_multiplier=2.0, noise=_Fixed(1.0))[0]
    assert std == pytest.approx(2.0 * (1 + 2.0**-10 + 100 * step), abs=step)


@pytest.mark.parametrize("noise_multiplier", [0.0, -1.0, float("nan"), float("inf")])
def test_no_noise_is_no_release(noise_multiplier: float) -> None:
    with pytest.raises(BadInput, match="noise"):
        release(ClippedSum.empty(3, bound=1.0), noise_multiplier=noise_multiplier, noise=CryptographicNoise())


def test_an_empty_round_is_released_as_noise_alone() -> None:
    noised = release(ClippedSum.empty(1000, bound=1.0), noise_multiplier=1.0, noise=CryptographicNoise())
    assert 0.8 < noised.std() < 1.2
