"""Factorisation, hybrids and SASRec learn what was planted, and only from training events."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from penchant.baselines import (
    Baseline,
    ContentKnn,
    Ease,
    MatrixFactorisation,
    Popularity,
    SasRec,
    StackedHybrid,
    WeightedHybrid,
    evaluate,
)
from penchant.baselines._hybrid import SumScorer
from penchant.baselines._sasrec import _batches, _windows
from penchant.behaviours import Behaviours, Split, gather, leave_one_out
from penchant.evaluation import Examination, Part
from penchant.types import F32

N_ITEMS = 30
SMALL = SasRec(width=16, length=10, blocks=1, heads=1, dropout=0.0, epochs=30, batch=160, learning_rate=0.02)


def _walks(people: int, length: int, seed: int = 0) -> Behaviours:
    """Everybody goes round the catalogue from a start of their own: order is all there is to learn."""
    starts = np.random.default_rng(seed).integers(0, N_ITEMS, people)
    items = (starts[:, None] + np.arange(length)) % N_ITEMS
    return gather(
        user_ids=tuple(f"u{n}" for n in range(people)),
        item_ids=tuple(f"i{n}" for n in range(N_ITEMS)),
        users=np.repeat(np.arange(people, dtype=np.int32), length),
        items=items.ravel().astype(np.int32),
        microseconds=np.tile(np.arange(length, dtype=np.int64), people) * 1_000_000,
        values=np.full(people * length, np.nan, np.float32),
        kinds=np.zeros(people * length, np.int8),
    )


@pytest.fixture(scope="module")
def split() -> Split:
    return leave_one_out(_walks(60, 12))


@pytest.fixture(scope="module")
def circle() -> F32:
    """Vectors that say where on the round an item lies."""
    angle = 2 * np.pi * np.arange(N_ITEMS) / N_ITEMS
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def _firsts(baseline: SasRec, split: Split, vectors: F32) -> float:
    """The share of validation items that come first: they follow the last training item."""
    examination = Examination(split, N_ITEMS, Part.VALIDATION)
    return float((evaluate(baseline, examination, vectors).ranks == 1).mean())


@pytest.mark.parametrize("text", [False, True], ids=["ids", "ids and text"])
def test_sasrec_learns_an_order(split: Split, circle: F32, text: bool) -> None:
    assert _firsts(replace(SMALL, text=text), split, circle) > 0.9


def test_sasrec_is_the_same_for_the_same_seed_and_leaves_the_global_generator_alone(split: Split) -> None:
    before = torch.get_rng_state()
    few = SasRec(width=8, length=6, blocks=1, heads=1, epochs=1)
    blind, people = np.empty((N_ITEMS, 0), np.float32), np.arange(5)
    once, again = (few.fit(split.train, blind).scores(split.train, people) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert torch.equal(before, torch.get_rng_state())


def test_sasrec_does_not_look_ahead(split: Split) -> None:
    """What a place asks for must not change with the events after it."""
    network = SMALL.fit(split.train, np.empty((N_ITEMS, 0), np.float32)).network
    one = torch.tensor([[3, 4, 5, 6]])
    other = torch.tensor([[3, 4, 9, 1]])
    with torch.no_grad():
        states = [network(history, network.table()) for history in (one, other)]
    torch.testing.assert_close(states[0][:, :2], states[1][:, :2])
    assert not torch.allclose(states[0][:, 2:], states[1][:, 2:])


def test_sasrec_makes_every_event_but_the_first_a_target_once() -> None:
    windows = _windows(_walks(1, 23), 5, N_ITEMS).numpy()
    targets = windows[:, 1:]
    assert sorted(targets[targets < N_ITEMS]) == sorted(_walks(1, 23).items[1:])
    assert windows.shape[1] == 6


def test_sasrec_sees_every_window_once_an_epoch_beside_others_of_its_length() -> None:
    lengths = torch.randint(2, 52, (1500,), generator=torch.Generator().manual_seed(0))
    batches = list(_batches(lengths, 64))
    assert torch.cat(batches).sort().values.tolist() == list(range(1500))
    padded = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    assert padded < 1.2 * int(lengths.sum())  # in batches of any lengths, 1.9
    assert not torch.equal(torch.cat(batches), torch.cat(list(_batches(lengths, 64))))


def test_sasrec_learns_from_the_softmax_over_all_items(split: Split) -> None:
    """The loss that is made in slices of the cache is the cross-entropy of each target, summed."""
    windows = _windows(split.train, 6, N_ITEMS)
    network = SMALL.fit(split.train, np.empty((N_ITEMS, 0), np.float32)).network
    with torch.no_grad():
        loss = SMALL._loss(network, windows)
        scores = network(windows[:, :-1], network.table()) @ network.table().T + network.bias
        expected = cross_entropy(
            scores.flatten(0, 1), windows[:, 1:].flatten(), ignore_index=N_ITEMS, reduction="sum"
        )
    torch.testing.assert_close(loss, expected)


def test_sasrec_answers_a_newcomer_without_a_history(split: Split) -> None:
    scorer = SasRec(width=8, length=6, blocks=1, heads=1, epochs=1).fit(
        split.train, np.empty((N_ITEMS, 0), np.float32)
    )
    nobody = split.train.where(np.zeros(split.train.n_events, np.bool_))
    scores = scorer.scores(nobody, np.array([0, 1]))
    np.testing.assert_allclose(scores[0], scorer.network.bias.detach().numpy())


def test_factors_rebuild_two_camps() -> None:
    """Items 0-14 are one camp's, 15-29 the other's: a newcomer with three of one camp gets the rest of it first."""
    rng = np.random.default_rng(0)
    camp = np.repeat([0, 15], 20)
    items = np.stack([start + rng.permutation(15)[:10] for start in camp])
    train = gather(
        user_ids=tuple(f"u{n}" for n in range(40)),
        item_ids=tuple(f"i{n}" for n in range(N_ITEMS)),
        users=np.repeat(np.arange(40, dtype=np.int32), 10),
        items=items.ravel().astype(np.int32),
        microseconds=np.arange(400, dtype=np.int64),
        values=np.full(400, np.nan, np.float32),
        kinds=np.zeros(400, np.int8),
    )
    scorer = MatrixFactorisation(factors=4, ridge=0.1).fit(train, np.empty((N_ITEMS, 0), np.float32))
    newcomer = train.where(np.isin(np.arange(400), [0, 1, 2]))
    scores = scorer.scores(newcomer, np.array([0]))[0]
    assert scores[:15].min() > scores[15:].max()


def test_stacking_finds_the_part_that_knows(split: Split, circle: F32) -> None:
    """On walks round the catalogue a short memory of likeness tells the next item, popularity nothing."""
    stacked = StackedHybrid((Popularity(), ContentKnn(neighbours=2, memory=0.3))).fit(split.train, circle)
    assert isinstance(stacked, SumScorer)
    assert stacked.weights[1] > 5 * abs(stacked.weights[0])


def test_weighted_hybrid_spans_its_parts(split: Split, circle: F32) -> None:
    people = np.arange(6)
    parts: tuple[Baseline, ...] = (Ease(10.0, memory=3.0), ContentKnn(memory=2.0))
    for share, part in zip((0.0, 1.0), parts, strict=True):
        alone = part.fit(split.train, circle).scores(split.train, people)
        alone = (alone - alone.mean(1, keepdims=True)) / alone.std(1, keepdims=True)
        hybrid = WeightedHybrid(share, *parts).fit(split.train, circle)
        np.testing.assert_allclose(hybrid.scores(split.train, people), alone, atol=1e-4)
