"""Strangers stay strangers: nothing that is kept out reaches training, and what they are asked about is theirs."""

import numpy as np
import pytest

from penchant.baselines import Popularity
from penchant.behaviours import Behaviours
from penchant.cold import ColdStart
from penchant.datasets import Dataset
from penchant.types import F32, I64

N_ITEMS = 1682


@pytest.fixture(scope="module")
def cold(movielens_100k: Dataset) -> ColdStart:
    return ColdStart.part(movielens_100k.behaviours, n_items=N_ITEMS, people=0.2, items=0.1, seed=0)


def test_every_event_is_in_one_part(cold: ColdStart, movielens_100k: Dataset) -> None:
    everything = movielens_100k.behaviours
    assert not set(cold.warm.user_ids) & set(cold.people.user_ids)
    assert len(cold.people.user_ids) == round(0.2 * everything.n_users)
    assert cold.cold_items.sum() == round(0.1 * N_ITEMS)
    assert not cold.cold_items[cold.warm.items].any()
    assert not cold.cold_items[cold.people.items].any()
    assert cold.cold_items[cold.of_items.items].all()
    assert cold.of_items.user_ids == cold.warm.user_ids
    person = cold.people.user_ids[3]
    whole = everything.of(everything.user_ids.index(person)).items
    np.testing.assert_array_equal(cold.people.of(3).items, whole[~cold.cold_items[whole]])


def test_a_stranger_is_known_by_the_first_events_alone(cold: ColdStart) -> None:
    given: list[int] = []

    def record(histories: Behaviours, people: I64) -> F32:
        given.extend(len(histories.of(int(person)).items) for person in people)
        return np.zeros((len(people), N_ITEMS), np.float32)

    cold.reveal(cold.people, 3).measure(record)
    assert given
    assert set(given) == {3}


@pytest.mark.parametrize("shots", [0, 3])
def test_who_knows_the_answers_finds_all_and_who_knows_nothing_finds_none(
    cold: ColdStart, shots: int
) -> None:
    def oracle(histories: Behaviours, people: I64) -> F32:
        scores = np.zeros((len(people), N_ITEMS), np.float32)
        for row, person in zip(scores, people, strict=True):
            row[cold.people.of(int(person)).items] = 1
        return scores

    def nothing(histories: Behaviours, people: I64) -> F32:
        return np.zeros((len(people), N_ITEMS), np.float32)

    strangers = cold.reveal(cold.people, shots)
    perfect = strangers.measure(oracle)
    assert perfect["ndcg@10"] == pytest.approx(1)
    assert strangers.measure(nothing)["ndcg@10"] < 0.05


def test_new_items_are_ranked_among_themselves(cold: ColdStart) -> None:
    """A model that prefers every old item to every new one loses nothing by it."""

    def old_first(histories: Behaviours, people: I64) -> F32:
        scores = np.where(cold.cold_items, 0, 1e6).astype(np.float32)
        rows = np.tile(scores, (len(people), 1))
        for row, person in zip(rows, people, strict=True):
            row[cold.of_items.of(int(person)).items] = 1
        return rows

    assert cold.new_items(cold.warm).measure(old_first)["ndcg@10"] == pytest.approx(1)


def test_popularity_learned_from_the_warm_serves_the_cold(cold: ColdStart) -> None:
    fitted = Popularity().fit(cold.warm, np.empty((N_ITEMS, 0), np.float32))
    figures = cold.reveal(cold.people, 0).measure(fitted.scores)
    assert figures["n"] == len(cold.people.user_ids)
    assert 0.1 < figures["ndcg@10"] < 0.6


def test_a_new_domain_is_known_by_its_first_events_and_all_others(cold: ColdStart) -> None:
    target = np.arange(N_ITEMS) % 3 == 0
    strangers = cold.reveal(cold.people, 2, target=target)
    for person in range(len(cold.people.user_ids)):
        whole, known = cold.people.of(person).items, strangers.known.of(person).items
        inside = whole[target[whole]]
        np.testing.assert_array_equal(known[target[known]], inside[:2])
        np.testing.assert_array_equal(known[~target[known]], whole[~target[whole]])
        np.testing.assert_array_equal(strangers.later.of(person).items, inside[2:])
        assert target[strangers.right[person]].all()
    assert strangers.closed[~target].all()
