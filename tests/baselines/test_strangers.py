"""References of a cold start: tuned on warm people in the strangers' place, and on nobody else."""

import numpy as np
import pytest

from penchant.baselines import (
    STRANGER_REFERENCES,
    DomainReferences,
    Ease,
    Fits,
    ItemKnn,
    Popularity,
    Rehearsal,
    StrangerReferences,
    WeightedHybrid,
    new_item_references,
)
from penchant.baselines._ease import FoldedEase
from penchant.baselines._matrix import had
from penchant.behaviours import gather
from penchant.cold import ColdStart
from penchant.datasets import Dataset
from penchant.types import F32

N_ITEMS = 400
BLIND = np.empty((N_ITEMS, 0), np.float32)


@pytest.fixture(scope="module")
def cold(movielens_100k: Dataset) -> ColdStart:
    everything = movielens_100k.behaviours
    few = everything.where(everything.items < N_ITEMS).of_people(np.arange(300))
    return ColdStart.part(few, n_items=N_ITEMS, people=0.5, items=0.0, seed=0)


@pytest.fixture(scope="module")
def rehearsal(cold: ColdStart) -> Rehearsal:
    return Rehearsal.of(cold.warm, BLIND, cold.reveal)


def test_nobody_is_asked_by_a_fit_that_knows_them(cold: ColdStart, rehearsal: Rehearsal) -> None:
    asked = [set(people.user_ids) for people, _ in rehearsal.folds]
    assert set().union(*asked) == set(cold.warm.user_ids)
    for people, (_, fits) in zip(asked, rehearsal.folds, strict=True):
        assert not people & set(fits.train.user_ids)
        assert not set(cold.people.user_ids) & set(fits.train.user_ids)


def test_tuning_takes_what_serves_the_warm_best(rehearsal: Rehearsal) -> None:
    """With 150 people to learn from and five events known, little shrinkage fits noise."""
    grid = [ItemKnn(1, 0.0), ItemKnn(100, 10.0)]
    assert rehearsal.best(grid, 5) == ItemKnn(100, 10.0)
    assert rehearsal.best(grid[::-1], 5) == ItemKnn(100, 10.0)


def test_fits_that_are_shared_score_as_fits_of_their_own(cold: ColdStart) -> None:
    fits, people = Fits(cold.warm, BLIND), np.arange(20)
    hybrid = WeightedHybrid(0.3, ItemKnn(memory=3.0), Popularity())
    for baseline in (ItemKnn(memory=3.0), ItemKnn(memory=None), ItemKnn(memory=30.0), hybrid):
        expected = baseline.fit(cold.warm, BLIND).scores(cold.people, people)
        np.testing.assert_array_equal(fits.of(baseline).scores(cold.people, people), expected)


def test_the_stack_is_level_with_its_best_part(cold: ColdStart, rehearsal: Rehearsal) -> None:
    """Also where nothing is known: then popularity is all there is, and the stack must find it."""
    references = StrangerReferences(Fits(cold.warm, BLIND), rehearsal)
    for shots in (0, 5):
        strangers = cold.reveal(cold.people, shots)
        found = {
            name: strangers.measure(scorer.scores)["ndcg@10"] for name, scorer, _ in references.after(shots)
        }
        assert tuple(found) == STRANGER_REFERENCES
        assert found["hybrid_stacked"] > 0.97 * max(found.values())
        assert found["hybrid_weighted"] > 0.95 * found["popularity"]


def test_content_is_tuned_for_new_items_on_other_items() -> None:
    """Two camps of items that their vectors tell apart: likeness of one neighbour is worse than of many."""
    rng = np.random.default_rng(0)
    camp = np.repeat([0, 1], 60)
    vectors: F32 = (rng.normal(size=(120, 8)) + 3 * np.eye(8)[camp]).astype(np.float32)
    items = np.stack([60 * side + rng.permutation(60)[:20] for side in camp])
    train = gather(
        user_ids=tuple(f"u{n}" for n in range(120)),
        item_ids=tuple(f"i{n}" for n in range(120)),
        users=np.repeat(np.arange(120, dtype=np.int32), 20),
        items=items.ravel().astype(np.int32),
        microseconds=np.arange(2400, dtype=np.int64),
        values=np.full(2400, np.nan, np.float32),
        kinds=np.zeros(2400, np.int8),
    )
    new = np.zeros(120, np.bool_)
    new[::10] = True
    found = {name: settings for name, _, settings in new_item_references(train, vectors, new, tune=True)}
    assert set(found) == {"popularity", "content_knn"}
    assert found["content_knn"]["neighbours"] > 1


def test_what_a_narrow_reference_knows_is_inside_the_domain(cold: ColdStart) -> None:
    """Its answers do not move with events elsewhere; those of the cross-domain one do."""
    target = np.arange(N_ITEMS) % 2 == 0
    everywhere, inside = (
        StrangerReferences(Fits.of_events(cold.warm, BLIND, only), None) for only in (None, target)
    )
    strangers = cold.reveal(cold.people, 1, target=target)
    less = strangers.known.where(target[strangers.known.items])
    found = {reference.name: reference.scorer for reference in DomainReferences(everywhere, inside).after(1)}
    assert {"ease", "cross_domain_ease", "cross_domain_item_knn", "hybrid_stacked"} <= set(found)
    people = np.arange(10)
    for name, same in (("ease", True), ("item_knn", True), ("cross_domain_ease", False)):
        whole, part = (found[name].scores(known, people) for known in (strangers.known, less))
        assert np.array_equal(whole, part) == same


def test_large_catalogues_get_the_same_scores_without_all_pairs(cold: ColdStart) -> None:
    people = np.arange(20)
    for memory in (None, 5.0):
        expected = Ease(50.0, memory).fit(cold.warm, BLIND).scores(cold.people, people)
        folded = FoldedEase.of(had(cold.warm, N_ITEMS), 50.0, memory).scores(cold.people, people)
        np.testing.assert_allclose(folded, expected, atol=2e-4)
