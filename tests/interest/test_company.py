"""What keeps company with what: known answers, and scores that are the sum of their reasons."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import isotonic_regression

from penchant.config import CompanySettings
from penchant.interest.company import Company
from penchant.interest.counting import Chosen, Counts
from penchant.interest.lift import _rising, company_of
from penchant.types import F32

SETTINGS = CompanySettings(items=6, neighbours=6, damping=0.0, memory=2.0, prior_events=3.0)
TEXTS: F32 = np.vstack([np.eye(6, 4), np.eye(6, 4)[:1]]).astype(np.float32)
"""Seven items: the first five lie apart or alone, and the last one reads like the first."""


def _counts(noise: float) -> Counts:
    """Items 0 and 1 are seen together ten times as often as their likings let expect."""
    items = np.array([5.0, 5, 5, 5, 5, 5, 0])
    chosen = Chosen.of(items, SETTINGS, floor=0.02)
    pairs = np.ones(chosen.n_pairs)
    pairs[chosen.cell(np.array([0]), np.array([1]))] = 10.0
    return Counts(items, pairs, noise, noise)


def _dense(company: Company) -> F32:
    dense = np.zeros((company.n_items, company.n_items), np.float32)
    np.put_along_axis(dense, company.neighbours.astype(np.int64), company.excess, axis=1)
    return dense


def test_company_that_was_counted_is_found_and_noise_that_drowns_it_takes_it_back() -> None:
    sure, doubtful = (_dense(company_of(_counts(noise), TEXTS, SETTINGS)) for noise in (1e-9, 1e6))
    assert sure[0].argmax() == 1
    assert sure[1].argmax() == 0
    assert (1 + sure[0, 1]) / (1 + sure[0, 2]) == pytest.approx(10.0, rel=0.05)
    assert (1 + doubtful[0, 1]) / (1 + doubtful[0, 2]) < 3


def test_order_is_found_where_it_was_counted_and_noise_that_drowns_it_takes_it_back() -> None:
    settings = SETTINGS.model_copy(update={"ordered": True})
    items = np.array([5.0, 5, 5, 5, 5, 5, 0])
    chosen = Chosen.of(items, settings, floor=0.02)
    pairs = np.ones(chosen.n_pairs)
    pairs[chosen.cell(np.array([0]), np.array([1]))] = 10.0  # 1 follows 0, and 0 does not follow 1
    sure, doubtful = (
        _dense(company_of(Counts(items, pairs, noise, noise), TEXTS, settings)) for noise in (1e-9, 1e6)
    )
    assert (1 + sure[0, 1]) / (1 + sure[1, 0]) == pytest.approx(10.0, rel=0.05)
    assert (1 + sure[1, 0]) / (1 + sure[1, 2]) == pytest.approx(1.0, rel=0.05)
    assert (1 + doubtful[0, 1]) / (1 + doubtful[1, 0]) == pytest.approx(1.0, rel=0.05)


def test_votes_and_tastes_are_not_of_ordered_pairs() -> None:
    with pytest.raises(ValidationError, match="of pairs without order"):
        CompanySettings(items=6, ordered=True, gate_share=0.1)
    with pytest.raises(ValidationError, match="of pairs without order"):
        CompanySettings(items=6, ordered=True, tastes=4)


def test_an_item_that_nobody_touched_has_company_by_its_text() -> None:
    alike = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    texts = np.stack([1 - alike, alike], axis=1).astype(np.float32)
    counts = _counts(1e-9)
    dense = _dense(company_of(counts, texts, SETTINGS.model_copy(update={"neighbours": 7})))
    assert dense[6, 0] > dense[6, 2]  # it reads like 0, whose like are seen together more often


def test_an_item_that_could_not_be_met_is_held_against_the_whole_history_by_its_text() -> None:
    alike = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    texts = np.stack([1 - alike, alike], axis=1).astype(np.float32)
    offered = np.arange(7) < 6
    company = company_of(_counts(1e-9), texts, SETTINGS, offered=offered)
    old_and_alike, others = np.array([0] + [2] * 40, np.int32), np.full(41, 2, np.int32)
    assert company.new.tolist() == [6]
    assert company.scores([old_and_alike])[0, 6] > company.scores([others])[0, 6]
    added = company.reasons(old_and_alike, 6)
    assert company.scores([old_and_alike])[0, 6] == pytest.approx(added.sum() + company.base[6], rel=1e-5)
    assert added[0] > added[1]


def test_that_nobody_met_an_item_which_was_not_there_says_nothing_against_it() -> None:
    """Item 5 reads like 0, is among the items whose pairs are counted, and was not offered."""
    texts = np.eye(7, 6, dtype=np.float32)
    texts[5] = texts[6] = texts[0]
    items = np.array([5.0, 5, 5, 5, 5, 0, 5])
    settings = SETTINGS.model_copy(update={"items": 7, "neighbours": 7})
    chosen = Chosen.of(items, settings, floor=0.02)
    pairs = np.ones(chosen.n_pairs)
    for other in range(7):
        if other != 5:
            pairs[chosen.cell(np.array([5]), np.array([other]))] = 0.0
    pairs[chosen.cell(np.array([0]), np.array([6]))] = 10.0  # what reads alike goes together
    offered = np.arange(7) != 5
    company = company_of(Counts(items, pairs, 1e-9, 1e-9), texts, settings, offered=offered)
    assert company.alike[0, 0] > 1
    assert company.alike[0, 0] > company.alike[1, 0]


def test_a_score_is_the_sum_of_its_reasons_and_what_everybody_likes() -> None:
    company = company_of(_counts(1.0), TEXTS, SETTINGS)
    history = np.array([3, 0, 4, 0], np.int32)
    scores = company.scores([history])[0]
    for item in range(company.n_items):
        added = company.reasons(history, item)
        assert scores[item] == pytest.approx(added.sum() + company.base[item], rel=1e-5)
    assert company.reasons(history, 1)[1] < company.reasons(history, 1)[3]  # the later event of the same item


def test_without_a_history_everybody_gets_what_is_liked() -> None:
    company = company_of(_counts(1.0), TEXTS, SETTINGS)
    assert (company.scores([np.empty(0, np.int32)])[0] == company.base).all()


def test_it_reads_as_it_was_written() -> None:
    company = company_of(_counts(1.0), TEXTS, SETTINGS)
    again = Company.read(company.tensors(), SETTINGS)
    history = [np.array([1, 2], np.int32)]
    assert (again.scores(history) == company.scores(history)).all()


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 5)), min_size=1, max_size=20))
def test_the_lift_rises_as_scipy_would_let_it(steps: list[tuple[float, float]]) -> None:
    values, weights = np.array(steps).T
    np.testing.assert_allclose(
        _rising(values, weights), isotonic_regression(values, weights=weights).x, atol=1e-9
    )


def test_counts_that_are_noise_alone_say_nothing_absurd() -> None:
    counts = _counts(1.0)
    for pairs in (np.zeros_like(counts.pairs), -np.ones_like(counts.pairs)):
        company = company_of(Counts(counts.items, pairs, 1.0, 1.0), TEXTS, SETTINGS)
        assert np.isfinite(company.excess).all()
        assert np.abs(company.excess).max() < 30
