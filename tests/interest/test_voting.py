"""The gate: votes praise what serves others' events, never what the voter put in, and doubt falls back on the prior."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.config import CompanySettings
from penchant.interest.counting import Chosen, Counts, item_counts, pair_counts
from penchant.interest.gate import CANDIDATES, STAGES, Gate, Way, learned
from penchant.interest.lift import read_counts
from penchant.interest.voting import Ballot, vote_bound
from penchant.types import F32, I32, Unit

SETTINGS = CompanySettings(
    items=12, window=50, half_life=50.0, damping=0.0, neighbours=12, source_power=1.0, target_power=0.0
)
TEXTS: F32 = np.eye(12, dtype=np.float32)


def _counted(histories: list[I32], noise: float) -> Counts:
    items = np.zeros(12)
    for history in histories:
        own = item_counts(history, SETTINGS, Unit.USER)
        items[own.cells] += own.weights
    chosen = Chosen.of(items, SETTINGS, floor=0.02)
    pairs = np.zeros(chosen.n_pairs)
    for history in histories:
        own = pair_counts(history, chosen, SETTINGS, Unit.USER)
        pairs[own.cells] += own.weights
    return Counts(items, pairs, noise, noise)


def _ballot(histories: list[I32], noise: float = 0.1) -> Ballot:
    return Ballot(read_counts(_counted(histories, noise), TEXTS, SETTINGS), SETTINGS, Unit.USER)


def _dense(ballot: Ballot, history: I32) -> F32:
    own = ballot.vote(history)
    dense = np.zeros(len(CANDIDATES), np.float32)
    dense[own.cells] = own.weights
    return dense


TWO_TASTES = [np.array(taste, np.int32) for taste in ([0, 1, 2, 3], [4, 5, 6, 7])]


def _by_taste(n: int) -> list[I32]:
    rng = np.random.default_rng(0)
    return [rng.permutation(np.append(TWO_TASTES[person % 2], 8)).astype(np.int32) for person in range(n)]


def test_where_tastes_differ_everybody_votes_for_own_events() -> None:
    people = _by_taste(60)
    ballot = _ballot(people)
    total = np.sum([_dense(ballot, history) for history in people], axis=0)
    table = learned(total.astype(np.float64), noise=0.0)
    assert table[STAGES.index(1), 0] > 0
    assert table[STAGES.index(3), 0] > 0
    assert table[STAGES.index(0), 0] == 0  # nothing is known there that could help


def test_where_a_domain_is_asked_for_what_lies_elsewhere_helps_before_the_first_event_in_it() -> None:
    """Two tastes, each of two items here and two there: whoever likes 0 and 1 likes 2 and 3."""
    people, target = _by_taste(60), np.isin(np.arange(12), [2, 3, 6, 7])
    reading = read_counts(_counted(people, 0.1), TEXTS, SETTINGS, target=target)
    ballot = Ballot(reading, SETTINGS, Unit.USER)
    total = np.sum([_dense(ballot, history) for history in people], axis=0)
    table = learned(total.astype(np.float64), noise=0.0)
    company = replace(reading.company, gate=Gate.of(SETTINGS, table))
    assert table[STAGES.index(0), 0] > 0
    for elsewhere, likely, unlikely in (
        (TWO_TASTES[0][:2], [2, 3], [6, 7]),
        (TWO_TASTES[1][:2], [6, 7], [2, 3]),
    ):
        scores = company.scores([elsewhere])[0]
        assert scores[likely].min() > scores[unlikely].max()


def test_a_gate_counts_events_in_the_domain_that_is_asked_for() -> None:
    target = np.isin(np.arange(12), [2, 3])
    reading = read_counts(_counted(_by_taste(60), 0.1), TEXTS, SETTINGS, target=target)
    table = np.array([[stage, 8.0] for stage in STAGES], np.float32)
    company = replace(reading.company, gate=Gate.of(SETTINGS, table))
    histories = ([0, 1, 4], [0, 1, 2], [2, 0, 3, 3])
    assert [company.way(np.array(history, np.int32)).weight for history in histories] == [0, 1, 3]


def test_a_vote_never_praises_what_the_voter_alone_put_in() -> None:
    """One odd person among a hundred who know nothing of this taste: without the own counts, company says nothing."""
    rng = np.random.default_rng(1)
    others = [rng.permutation(8)[:4].astype(np.int32) for _ in range(100)]
    odd = np.array([8, 9, 10, 11], np.int32)
    with_odd = [*others, odd]
    honest = _ballot(with_odd, noise=0.01)
    reading = read_counts(_counted(with_odd, 0.01), TEXTS, SETTINGS)
    praising = Ballot(
        type(reading)(reading.company, reading.chosen, np.zeros_like(reading.pull)), SETTINGS, Unit.USER
    )
    assert _dense(praising, odd).max() > 0.05  # a vote that leaves them in finds its own pairs again
    assert _dense(honest, odd).max() < 0.01


@given(st.lists(st.integers(0, 11), min_size=0, max_size=30))
def test_no_vote_is_longer_than_its_bound(history: list[int]) -> None:
    own = _ballot(_by_taste(20)).vote(np.array(history, np.int32))
    assert np.linalg.norm(own.weights.astype(np.float64)) <= vote_bound(Unit.USER)
    assert (np.diff(own.cells) > 0).all()


def test_one_event_may_turn_a_whole_vote_around() -> None:
    assert vote_bound(Unit.EVENT) == 2 * vote_bound(Unit.USER)


def test_a_gain_within_its_noise_keeps_to_what_everybody_likes() -> None:
    gains = np.zeros(len(CANDIDATES))
    clear = CANDIDATES.index((3, Way(1.0, 8.0)))
    faint = CANDIDATES.index((5, Way(1.0, 8.0)))
    gains[clear], gains[faint] = 5.0, 1.5
    table = learned(gains, noise=1.0)
    assert table[STAGES.index(3)].tolist() == [1.0, 8.0]
    assert table[STAGES.index(5), 0] == 0
    assert (table[:, 0] > 0).sum() == 1


def test_the_gate_takes_the_last_stage_that_is_reached() -> None:
    table = np.array([[stage, 8.0] for stage in STAGES], np.float32)
    gate = Gate.of(SETTINGS, table)
    assert [gate.at(n).weight for n in (1, 2, 3, 9, 10, 19, 20, 500)] == [1, 1, 3, 5, 10, 10, 20, 20]
    assert gate.at(0).weight == 0


def test_a_gate_set_by_hand_rises_with_the_events_known() -> None:
    gate = Gate.of(SETTINGS.model_copy(update={"evidence": 2.0, "prior_events": 5.0}))
    assert gate.at(5).weight == pytest.approx(1.0)
    assert [gate.at(n).weight for n in range(6)] == sorted(gate.at(n).weight for n in range(6))
    assert gate.at(0).weight == 0


def test_cells_and_pairs_are_inverse() -> None:
    chosen = Chosen.of(np.arange(12.0), SETTINGS, floor=0.02)
    cells = np.arange(chosen.n_pairs)
    one, other = chosen.pairs(cells)
    assert (chosen.cell(chosen.place[one], chosen.place[other]) == cells).all()
    assert (one < other).all()
