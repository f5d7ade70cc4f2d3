"""The exported scoring path serves by counted company as a simulation does, alone and beside a head."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penchant.client.score_graph import write_score_graph
from penchant.config import ModelSettings
from penchant.interest import InterestModel, TensorLayout
from penchant.interest.company import Company
from penchant.interest.gate import Gate
from penchant.score import Scorer
from penchant.simulation.serving import Serving
from tests.client.test_score_graph import DIMENSION, MAX_HISTORY, N_ITEMS, adapter_of, catalogue

KEPT = 6


TABLE = np.array([[0.8, 1000], [0.1, 1000], [0.0, 2], [0.6, 8], [4.0, 2], [2.0, 1.5]], np.float32)


def company(new: list[int], *, learned: bool, target: range) -> Company:
    random = np.random.default_rng(2)
    near = np.argsort(random.random((N_ITEMS, N_ITEMS)), axis=1)[:, :KEPT].astype(np.int32)
    excess = ((random.random((N_ITEMS, KEPT)) * 5 - 1) * ~np.isin(near, new)).astype(np.float32)
    liked = random.lognormal(0, 1, N_ITEMS).astype(np.float32)
    alike = (random.random((N_ITEMS, len(new))) - 0.5).astype(np.float32)
    gate = Gate(2.5, 3.0, 1.5, TABLE if learned else TABLE[:0])
    asked_for = np.array(target, np.int32)
    return Company(near, excess, liked, np.array(new, np.int32), alike, asked_for, gate, 20.0, 0.8, 0.3)


CASES = {
    "company alone": ([], False, range(0), 0.0),
    "a learned gate": ([], True, range(0), 0.0),
    "with new items": ([7, 31], False, range(0), 0.0),
    "beside a head": ([], False, range(0), 0.4),
    "beside a head, with new items and a learned gate": ([7, 31], True, range(0), 0.4),
    "in one domain": ([], True, range(10, 25), 0.0),
    "in one domain, beside a head, with new items": ([7, 31], True, range(10, 25), 0.4),
    "in one domain by a curve": ([], False, range(10, 25), 0.0),
}


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Serving, Scorer]:
    new, learned, target, weight = request.param
    random = np.random.default_rng(5)
    vectors = random.normal(size=(N_ITEMS, DIMENSION)).astype(np.float32)
    model = InterestModel(vectors, ModelSettings(width=6), seed=1)
    layout = TensorLayout.shared(model)
    head = layout.read(model) + random.normal(0, 0.2, layout.size).astype(np.float32)
    layout.write(model, head)
    serving = Serving(model, head, MAX_HISTORY, company(new, learned=learned, target=target), weight)
    path = tmp_path_factory.mktemp("export") / "score.onnx"
    write_score_graph(
        path,
        model,
        catalogue(),
        max_history=MAX_HISTORY,
        origin="a head",
        belongs_to="a federation",
        company=serving.company,
        head_weight=weight,
    )
    return serving, Scorer.load(path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.integers(0, N_ITEMS - 1), max_size=60), seed=st.integers(0, 3))
def test_scores_and_their_parts_are_those_of_a_simulation(
    exported: tuple[Serving, Scorer], history: list[int], seed: int
) -> None:
    serving, scorer = exported
    events, adapter = np.array(history, np.int32), adapter_of(serving.model, seed)
    stacked = None if adapter is None else adapter[None]
    expected = serving.scores([events], stacked)[0]
    np.testing.assert_allclose(scorer.scores(events, adapter=adapter), expected, rtol=1e-5, atol=1e-5)
    asked = np.array([3, 7, 3, 39], np.int32)
    parts = scorer.parts(events, asked, adapter=adapter)
    assert parts.events.shape == (min(len(history), scorer.max_history), 4)
    together = parts.events.sum(axis=0) + parts.everyone + parts.taste
    np.testing.assert_allclose(together, expected[asked], rtol=1e-4, atol=1e-4)
    if serving.head_weight == 0:  # a blend shares out a logarithm
        assert serving.company is not None
        said = [serving.company.reasons(events, int(item))[-scorer.max_history :] for item in asked]
        np.testing.assert_allclose(parts.events, np.stack(said, axis=1), rtol=1e-5, atol=1e-6)


def test_it_looks_at_no_more_of_a_history_than_a_part_needs(
    exported: tuple[Serving, Scorer],
) -> None:
    serving, scorer = exported
    assert serving.company is not None
    assert scorer.adapter_size == TensorLayout.personal(serving.model).size
    if len(serving.company.gate.learned) and len(serving.company.target):
        assert scorer.max_history > 1_000_000  # it counts them
        return
    near = 14_000 if len(serving.company.gate.learned) else 21
    assert scorer.max_history == max(near, 280 if len(serving.company.new) else 0)
