"""Guarantees of the basis that travels with a head."""

from pathlib import Path

import numpy as np
import pytest

from penchant.encoders import Whitening
from penchant.errors import BadInput, NotFinite
from penchant.rng import stream
from penchant.types import F32

WIDTH = 6


def cloud(seed: int, n_items: int = 40) -> F32:
    """float32[n_items, 6]: correlated, off centre, with very different variances."""
    rng = stream(seed, "cloud")
    rotation, _ = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))
    spread = rng.normal(size=(n_items, WIDTH)) * np.logspace(0, -1.5, WIDTH)
    return np.asarray(spread @ rotation + rng.normal(size=WIDTH), dtype=np.float32)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("rank", [1, 3, WIDTH])
def test_whitened_columns_are_centred_scaled_and_uncorrelated(seed: int, rank: int) -> None:
    vectors = cloud(seed)
    white = Whitening.fit(vectors, rank=rank).apply(vectors)
    assert white.dtype == np.float32
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(rank), atol=2e-3)


def test_directions_of_largest_variance_come_first() -> None:
    """A known answer: independent axes with standard deviations 3, 1, 2 (exactly)."""
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=np.float32)
    basis = Whitening.fit(signs * np.array([3, 1, 2], dtype=np.float32) + 5, rank=2)
    np.testing.assert_allclose(basis.mean, np.full(3, 5), atol=1e-6)
    np.testing.assert_allclose(basis.matrix, np.array([[1 / 3, 0], [0, 0], [0, 1 / 2]]), atol=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_order_of_items_does_not_change_the_basis_and_signs_are_fixed(seed: int) -> None:
    vectors, order = cloud(seed), stream(seed, "order").permutation(40)
    basis, again = Whitening.fit(vectors, rank=3), Whitening.fit(vectors[order], rank=3)
    np.testing.assert_allclose(again.matrix, basis.matrix, rtol=1e-3, atol=1e-3)
    assert (basis.matrix[np.abs(basis.matrix).argmax(axis=0), range(3)] > 0).all()


def test_catalogue_smaller_than_the_rank_keeps_the_width_and_adds_no_noise() -> None:
    vectors = cloud(1, n_items=3)
    basis = Whitening.fit(vectors, rank=5)
    white = basis.apply(vectors)
    assert white.shape == (3, 5)
    assert (white[:, 2:] == 0).all()
    np.testing.assert_allclose(white[:, :2].var(axis=0), 1, atol=1e-3)
    assert np.abs(basis.apply(cloud(2))).max() < 1e3


def test_saved_basis_is_the_same_basis(tmp_path: Path) -> None:
    basis = Whitening.fit(cloud(3), rank=4)
    basis.save(tmp_path / "basis.safetensors")
    loaded = Whitening.load(tmp_path / "basis.safetensors")
    assert loaded.digest == basis.digest
    assert (loaded.width, loaded.rank) == (WIDTH, 4)
    np.testing.assert_array_equal(loaded.apply(cloud(4)), basis.apply(cloud(4)))
    assert Whitening.fit(cloud(4), rank=4).digest != basis.digest


def test_damaged_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "basis.safetensors"
    with pytest.raises(BadInput, match="no such file"):
        Whitening.load(path)
    basis = Whitening.fit(cloud(3), rank=4)
    basis.save(path)
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:20], b"", b"\xff" * 8 + whole[8:]):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"basis\.safetensors"):
            Whitening.load(path)
    for wrong in (
        Whitening(basis.mean[:-1], basis.matrix),
        Whitening(basis.mean.astype(np.float64), basis.matrix),
        Whitening(basis.mean * np.float32("nan"), basis.matrix),
    ):
        wrong.save(path)
        with pytest.raises(BadInput, match="wrong shape, wrong type or not finite"):
            Whitening.load(path)


def test_what_cannot_be_whitened_is_refused() -> None:
    with pytest.raises(BadInput, match="at least 2 items"):
        Whitening.fit(cloud(0, n_items=1), rank=1)
    with pytest.raises(BadInput, match="whiten_rank = 7: must be 1 to 6"):
        Whitening.fit(cloud(0), rank=7)
    with pytest.raises(BadInput, match="same vector"):
        Whitening.fit(np.ones((5, 3), dtype=np.float32), rank=2)
    with pytest.raises(NotFinite):
        Whitening.fit(np.full((5, 3), np.nan, dtype=np.float32), rank=2)
    with pytest.raises(BadInput, match="basis of width 6"):
        Whitening.fit(cloud(0), rank=2).apply(np.ones((5, 3), dtype=np.float32))
