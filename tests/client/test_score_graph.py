"""The exported scoring path scores as the model does, and its parts add up to the score."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penchant.catalogue import Catalogue
from penchant.client.score_graph import write_score_graph
from penchant.config import ModelSettings
from penchant.errors import BadInput
from penchant.interest import InterestModel, TensorLayout, score_people
from penchant.score import Scorer
from penchant.types import F32

N_ITEMS, DIMENSION, MAX_HISTORY = 40, 12, 7
SHAPES = {
    "tied": ModelSettings(width=6),
    "two memories": ModelSettings(width=6, half_lives=(2.0, 9.0)),
    "roles and residuals": ModelSettings(width=6, half_lives=(2.0, 9.0), tied=False, residual_scale=0.7),
}


@pytest.fixture(scope="module", params=list(SHAPES.values()), ids=list(SHAPES))
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[InterestModel, Scorer]:
    rng = np.random.default_rng(5)
    model = InterestModel(rng.normal(size=(N_ITEMS, DIMENSION)).astype(np.float32), request.param, seed=1)
    layout = TensorLayout.shared(model)
    layout.write(model, layout.read(model) + rng.normal(0, 0.2, layout.size).astype(np.float32))
    path = tmp_path_factory.mktemp("export") / "score.onnx"
    write_score_graph(
        path, model, catalogue(), max_history=MAX_HISTORY, origin="a head", belongs_to="a federation"
    )
    return model, Scorer.load(path)


def ids() -> tuple[str, ...]:
    return tuple(f"item {n}" for n in range(N_ITEMS))


def catalogue() -> Catalogue:
    return Catalogue(ids(), tuple(map(str.title, ids())), ids(), (("Drama",),) * N_ITEMS)


def adapter_of(model: InterestModel, seed: int) -> F32 | None:
    if seed == 0:
        return None
    own = TensorLayout.personal(model)
    return own.read(model) + np.random.default_rng(seed).normal(0, 0.5, own.size).astype(np.float32)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.integers(0, N_ITEMS - 1), max_size=12), seed=st.integers(0, 5))
def test_scores_and_their_parts_are_those_of_the_model(
    exported: tuple[InterestModel, Scorer], history: list[int], seed: int
) -> None:
    model, scorer = exported
    events, adapter = np.array(history, np.int32), adapter_of(model, seed)
    stacked = None if adapter is None else adapter[None]
    expected = score_people(model, [events], adapters=stacked, max_history=MAX_HISTORY)[0]
    np.testing.assert_allclose(scorer.scores(events, adapter=adapter), expected, rtol=1e-4, atol=1e-4)
    asked = np.array([3, 0, 39], np.int32)
    parts = scorer.parts(events, asked, adapter=adapter)
    assert parts.events.shape == (min(len(history), MAX_HISTORY), 3)
    together = parts.events.sum(axis=0) + parts.everyone + parts.taste
    np.testing.assert_allclose(together, expected[asked], rtol=1e-4, atol=1e-4)


def test_a_part_is_what_the_score_loses_without_the_event(exported: tuple[InterestModel, Scorer]) -> None:
    """Checked against the model: an event on an item that is remembered as nothing adds nothing."""
    model, scorer = exported
    before = score_people(model, [np.array([4, 9], np.int32)], adapters=None, max_history=MAX_HISTORY)[0]
    layout = TensorLayout.shared(model)
    head = layout.read(model)
    vectors = model.item_vectors.clone()
    try:
        model.item_vectors[4] = 0
        if model.residual_scale:
            model.shared.residual.weight.data[4] = 0
        after = score_people(model, [np.array([4, 9], np.int32)], adapters=None, max_history=MAX_HISTORY)[0]
    finally:
        model.item_vectors.copy_(vectors)
        layout.write(model, head)
    parts = scorer.parts(np.array([4, 9], np.int32), np.array([17], np.int32))
    np.testing.assert_allclose(parts.events[0], before[17] - after[17], rtol=1e-4, atol=1e-4)


def test_recommending_needs_ids_alone_and_leaves_out_what_was_seen(
    exported: tuple[InterestModel, Scorer],
) -> None:
    model, scorer = exported
    assert (scorer.origin, scorer.belongs_to, len(scorer.items)) == ("a head", "a federation", N_ITEMS)
    assert (scorer.items.titles[3], scorer.items.categories[3]) == ("Item 3", ("Drama",))
    best = scorer.recommend(["item 3", "no such item", "item 8"], k=N_ITEMS)
    scores = score_people(model, [np.array([3, 8], np.int32)], adapters=None, max_history=MAX_HISTORY)[0]
    assert {item for item, _ in best} == set(ids()) - {"item 3", "item 8"}
    assert [value for _, value in best] == sorted((value for _, value in best), reverse=True)
    assert best[0][1] == pytest.approx(scores[scorer.items.index[best[0][0]]], abs=1e-4)


def test_a_file_that_is_no_model_and_an_adapter_that_does_not_fit_are_refused(
    tmp_path: Path, exported: tuple[InterestModel, Scorer]
) -> None:
    (tmp_path / "score.onnx").write_bytes(b"no model")
    with pytest.raises(BadInput, match=r"score\.onnx: not an exported model"):
        Scorer.load(tmp_path / "score.onnx")
    with pytest.raises(BadInput, match="No such file"):
        Scorer.load(tmp_path / "missing.onnx")
    with pytest.raises(BadInput, match="adapter of shape"):
        exported[1].scores(np.array([1], np.int32), adapter=np.zeros(3, np.float32))
