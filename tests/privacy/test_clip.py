"""A clipped update is inside its ball, whatever went in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from penchant.errors import BadInput, NotFinite
from penchant.privacy.clip import ClippedSum, ClippedUpdates, clip, was_clipped

_rows = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)
_bounds = st.floats(1e-6, 1e6)


def _norms(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(np.atleast_2d(values).astype(np.float64), axis=1))


@given(rows=_rows, bound=_bounds)
def test_no_row_leaves_the_ball_not_even_by_rounding(rows: np.ndarray, bound: float) -> None:
    assert (_norms(clip(rows, bound=bound).values) <= bound).all()


@given(rows=_rows, bound=_bounds)
def test_rows_inside_stay_bit_for_bit_and_others_reach_the_bound(rows: np.ndarray, bound: float) -> None:
    clipped = clip(rows, bound=bound).values
    inside = _norms(rows) <= bound
    assert np.array_equal(clipped[inside], rows[inside])
    assert _norms(clipped[~inside]) == pytest.approx(bound, rel=1e-6)


@given(rows=_rows, bound=_bounds)
def test_direction_is_kept(rows: np.ndarray, bound: float) -> None:
    wide = rows.astype(np.float64)
    clipped = clip(rows, bound=bound).values.astype(np.float64)
    cosine = (wide * clipped).sum(1) - _norms(wide) * _norms(clipped)
    assert np.abs(cosine) == pytest.approx(0, abs=1e-5 * (1 + (_norms(wide) * _norms(clipped)).max()))


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_named(poison: float) -> None:
    rows = np.ones((3, 4), np.float32)
    rows[1, 2] = poison
    with pytest.raises(NotFinite, match="row 1"):
        clip(rows, bound=1.0)


def test_zero_is_accepted_and_stays_zero() -> None:
    assert not clip(np.zeros(5, np.float32), bound=1.0).values.any()


@pytest.mark.parametrize("bound", [0.0, -1.0, np.nan, np.inf])
def test_a_bound_must_bound(bound: float) -> None:
    with pytest.raises(BadInput, match="clip bound"):
        clip(np.ones(3, np.float32), bound=bound)


def test_nobody_else_can_make_a_value_outside_its_bound() -> None:
    with pytest.raises(BadInput, match="use clip"):
        ClippedUpdates(np.ones((1, 3), np.float32), 1.0)
    with pytest.raises(ValueError, match="read-only"):
        clip(np.ones(3, np.float32), bound=1.0).values[0, 0] = 9


def test_sums_with_different_bounds_do_not_mix() -> None:
    with pytest.raises(BadInput, match="bound"):
        ClippedSum.empty(3, bound=1.0).plus(clip(np.ones(3, np.float32), bound=2.0))
    with pytest.raises(BadInput, match="expected 4"):
        ClippedSum.empty(4, bound=1.0).plus(clip(np.ones(3, np.float32), bound=1.0))


def test_a_sum_moves_by_at_most_the_bound_when_one_joins() -> None:
    updates = (10 * np.random.default_rng(0).normal(size=(6, 8))).astype(np.float32)
    with_all = ClippedSum.empty(8, bound=0.5).plus(clip(updates, bound=0.5))
    without = ClippedSum.empty(8, bound=0.5).plus(clip(updates[1:], bound=0.5))
    assert np.linalg.norm(with_all.values - without.values) <= 0.5 * (1 + 1e-12)
    assert list(was_clipped(updates, bound=0.5)) == list(range(6))
