"""Counts of items and pairs: what one person or one event can do to them is bounded by arithmetic, not by clipping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from penchant.config import CompanySettings
from penchant.interest.counting import Chosen, Contribution, item_counts, pair_bound, pair_counts
from penchant.types import F64, I32, Unit

N_ITEMS = 12
BLANK = N_ITEMS
"""An item that is never chosen: what is left of an event that was blanked."""
SETTINGS = CompanySettings(items=8, window=4, half_life=2.0, damping=0.3)
ORDERED = SETTINGS.model_copy(update={"ordered": True})
HISTORIES = arrays(np.int32, st.integers(0, 30), elements=st.integers(0, N_ITEMS - 1))

either = pytest.mark.parametrize("wished", [SETTINGS, ORDERED], ids=["pairs", "ordered pairs"])


def _chosen(wished: CompanySettings = SETTINGS) -> Chosen:
    liked = np.append(np.linspace(9, 1, N_ITEMS), 0.0)
    return Chosen.of(liked, wished, floor=0.5)


def _dense(own: Contribution, size: int) -> F64:
    vector = np.zeros(size)
    vector[own.cells] = own.weights
    return vector


def _pairs(history: I32, wished: CompanySettings, unit: Unit) -> F64:
    chosen = _chosen(wished)
    return _dense(pair_counts(history, chosen, wished, unit), chosen.n_pairs)


def test_every_pair_has_a_cell_of_its_own() -> None:
    chosen = _chosen()
    first, second = np.triu_indices(len(chosen.items), 1)
    assert chosen.cell(first, second).tolist() == list(range(chosen.n_pairs))
    assert (chosen.cell(second, first) == chosen.cell(first, second)).all()


def test_every_order_of_a_pair_has_a_cell_of_its_own() -> None:
    chosen = _chosen(ORDERED)
    first, second = np.nonzero(~np.eye(len(chosen.items), dtype=np.bool_))
    cells = chosen.cell(first, second)
    assert cells.tolist() == list(range(chosen.n_pairs))
    one, other = chosen.pairs(cells)
    assert (chosen.place[one] == first).all()
    assert (chosen.place[other] == second).all()


@given(HISTORIES)
def test_both_orders_together_are_the_pair(history: I32) -> None:
    """Up to the length of a person's vector."""
    chosen, ordered = _chosen(), _chosen(ORDERED)
    cells = np.arange(ordered.n_pairs)
    one, other = (ordered.place[items] for items in ordered.pairs(cells))
    together = np.bincount(chosen.cell(one, other), _pairs(history, ORDERED, Unit.USER), chosen.n_pairs)
    norm = np.linalg.norm(together)
    assert together / (norm or 1) == pytest.approx(_pairs(history, SETTINGS, Unit.USER), abs=1e-6)


def test_who_has_few_items_adds_as_to_a_plain_count_and_who_has_many_is_held_to_length_1() -> None:
    wished = SETTINGS.model_copy(update={"typical_items": 4})
    weights = [item_counts(np.arange(n, dtype=np.int32), wished, Unit.USER).weights for n in (1, 3, 4, 9)]
    assert [w[0] for w in weights] == pytest.approx([0.5, 0.5, 0.5, 1 / 3])
    assert [np.linalg.norm(w) <= 1 + 1e-6 for w in weights] == [True] * 4


@either
@given(history=HISTORIES)
def test_a_whole_person_has_norm_1_at_most(history: I32, wished: CompanySettings) -> None:
    assert np.linalg.norm(_dense(item_counts(history, SETTINGS, Unit.USER), N_ITEMS)) <= 1 + 1e-6
    assert np.linalg.norm(_pairs(history, wished, Unit.USER)) <= 1 + 1e-6


@either
@settings(max_examples=200)
@given(history=HISTORIES.filter(len), data=st.data())
def test_blanking_one_event_moves_the_counts_no_further_than_the_bound(
    history: I32, data: st.DataObject, wished: CompanySettings
) -> None:
    blanked = history.copy()
    blanked[data.draw(st.integers(0, len(history) - 1))] = BLANK
    moved = _pairs(history, wished, Unit.EVENT) - _pairs(blanked, wished, Unit.EVENT)
    assert np.linalg.norm(moved) <= pair_bound(wished, Unit.EVENT) + 1e-6
    items = [_dense(item_counts(h, SETTINGS, Unit.EVENT), N_ITEMS + 1)[:N_ITEMS] for h in (history, blanked)]
    assert np.linalg.norm(items[0] - items[1]) <= 1


@pytest.mark.parametrize("ordered", [False, True])
def test_the_bound_for_one_event_is_reached(ordered: bool) -> None:
    """By an event amid others that are all different, so that it is no larger than needed."""
    flat = CompanySettings(items=9, window=4, half_life=2.0, damping=0.0, ordered=ordered)
    history = np.array([0, 1, 2, 3, 8, 4, 5, 6, 7], np.int32)
    blanked = history.copy()
    blanked[4] = BLANK
    chosen = Chosen.of(np.append(np.linspace(9, 1, N_ITEMS), 0.0), flat, floor=0.5)
    one, other = (
        _dense(pair_counts(h, chosen, flat, Unit.EVENT), chosen.n_pairs) for h in (history, blanked)
    )
    assert np.linalg.norm(one - other) == pytest.approx(pair_bound(flat, Unit.EVENT))


def test_pairs_of_near_events_count_more_and_far_ones_not_at_all() -> None:
    chosen = Chosen.of(np.ones(9), CompanySettings(items=9, damping=0.0), floor=0.1)
    near = CompanySettings(items=9, window=2, half_life=1.0, damping=0.0)
    counts = _dense(pair_counts(np.array([0, 1, 2, 3], np.int32), chosen, near, Unit.EVENT), chosen.n_pairs)

    def of(first: int, second: int) -> float:
        return float(counts[chosen.cell(np.array([first]), np.array([second]))[0]])

    assert (of(0, 1), of(0, 2), of(0, 3)) == (0.5, 0.25, 0.0)


def test_items_that_were_not_chosen_are_in_no_pair() -> None:
    chosen = _chosen()
    left_out = np.setdiff1d(np.arange(N_ITEMS), chosen.items).astype(np.int32)
    assert len(pair_counts(np.tile(left_out, 4), chosen, SETTINGS, Unit.USER).cells) == 0
