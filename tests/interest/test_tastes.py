"""Condensed company: what many have in common stays, noise of single pairs goes, and nothing else moves."""

import numpy as np
import pytest

from penchant.config import CompanySettings
from penchant.interest.counting import Chosen, Counts
from penchant.interest.lift import company_of
from penchant.interest.tastes import condensed
from penchant.types import F32, F64


def _two_tastes(m: int) -> tuple[F32, F64]:
    side = np.where(np.arange(m) % 2, 1.0, -1.0)
    return np.outer(side, side).astype(np.float32), np.full(m, 1.0)


def test_one_clear_taste_comes_back_as_it_was() -> None:
    excess, liked = _two_tastes(20)
    np.testing.assert_allclose(condensed(excess, liked, 1), excess, atol=1e-5)


def test_noise_of_single_pairs_is_cut_away() -> None:
    clean, liked = _two_tastes(60)
    noise = np.random.default_rng(0).normal(0, 1.0, clean.shape)
    noisy = (clean + (noise + noise.T) / np.sqrt(2)).astype(np.float32)
    assert np.abs(condensed(noisy, liked, 1) - clean).mean() < 0.3 * np.abs(noisy - clean).mean()


def test_a_taste_of_most_is_held_back_against_one_of_few() -> None:
    """Of two tastes, one four times as strong, the weaker gains on the stronger, and never passes it."""
    m = 40
    strong, weak = np.where(np.arange(m) % 2, 1.0, -1.0), np.where(np.arange(m) < m / 2, 1.0, -1.0)
    excess = (0.3 * np.outer(strong, strong) + 0.07 * np.outer(weak, weak)).astype(np.float32)
    again = condensed(excess, np.ones(m), 2)
    strength = [float(taste @ again @ taste) / m**2 for taste in (strong, weak)]
    assert strength[0] == pytest.approx(0.3, rel=1e-4)
    assert 0.07 < strength[1] < strength[0]
    assert condensed(4 * excess, np.ones(m), 2).min() == -1  # less than never there is not


def test_items_that_are_in_no_counted_pair_keep_their_company() -> None:
    settings = CompanySettings(items=6, neighbours=8, damping=0.0)
    counts = Counts(np.array([9.0, 8, 7, 6, 5, 4, 1, 1]), np.random.default_rng(1).random(15) * 9, 0.1, 0.1)
    texts = np.eye(8, 3, dtype=np.float32) + 0.1
    plain, drawn = (
        company_of(counts, texts, settings.model_copy(update={"tastes": tastes})) for tastes in (0, 2)
    )
    chosen = Chosen.of(counts.items, settings, floor=counts.floor)
    alone = np.flatnonzero(chosen.place < 0)
    assert (plain.excess[alone] == drawn.excess[alone]).all()
    assert not np.allclose(plain.excess[chosen.items], drawn.excess[chosen.items])
