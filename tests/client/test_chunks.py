"""What the event unit rests on: an interaction lies in one chunk, moves one clipped gradient, is charged for life."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from penchant.client.app import ClientPlan, Person, answer
from penchant.client.budget import spent_epsilon
from penchant.client.chunk_training import disjoint_chunks, private_chunk_update
from penchant.client.store import Charge, PersonalState
from penchant.config import ModelSettings, TrainingSettings
from penchant.errors import BudgetExceeded
from penchant.interest import ChunkLoss, InterestModel, TensorLayout, round_negatives
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.events import GaussianSum
from penchant.privacy.noise import CryptographicNoise, NoiseSource, ReproducibleNoise
from penchant.strategies import Guarantee
from penchant.strategies.wire import TrainRequest
from penchant.types import F32, I32, NO_ITEM, NoiseAt, Unit

N_ITEMS, LENGTH, CLIP, DELTA = 12, 4, 0.3, 1e-5
VECTORS = np.random.default_rng(0).normal(size=(N_ITEMS, 6)).astype(np.float32)
NEGATIVES = torch.arange(N_ITEMS)
EVENT = Guarantee(Unit.EVENT, NoiseAt.CLIENT, CLIP, 1.5)

histories = st.lists(st.integers(0, N_ITEMS - 1), max_size=40).map(lambda items: np.array(items, np.int32))


def _model() -> InterestModel:
    """A model that has learned something, so that no gradient is zero by symmetry."""
    model = InterestModel(VECTORS, ModelSettings(width=4, learn_half_lives=True), seed=0)
    layout = TensorLayout.shared(model)
    drift = np.random.default_rng(1).normal(scale=0.3, size=layout.size)
    layout.write(model, (layout.read(model) + drift).astype(np.float32))
    return model


def _update(
    history: I32,
    *,
    model: InterestModel | None = None,
    clip_bound: float = CLIP,
    noise_multiplier: float = 0.0,
    noise: NoiseSource | None = None,
    charges: tuple[Charge, ...] = (),
    negatives: torch.Tensor = NEGATIVES,
) -> tuple[F32, tuple[Charge, ...]]:
    model = model or _model()
    return private_chunk_update(
        model,
        disjoint_chunks(history, LENGTH),
        layout=TensorLayout.shared(model),
        clip_bound=clip_bound,
        noise_multiplier=noise_multiplier,
        noise=noise,
        charges=charges,
        negatives=negatives,
    )


def _blanked(history: I32, event: int) -> I32:
    blanked = history.copy()
    blanked[event] = NO_ITEM
    return blanked


@given(history=histories, length=st.integers(2, 9))
def test_event_i_lies_in_chunk_i_over_length_and_in_no_other(history: I32, length: int) -> None:
    chunks = disjoint_chunks(history, length)
    whole = len(history) // length
    if whole == 0:
        assert chunks.tolist() == [[NO_ITEM] * length]
    else:
        assert chunks.tolist() == [history[i * length : (i + 1) * length].tolist() for i in range(whole)]


@given(data=st.data(), history=histories.filter(len), length=st.integers(2, 9))
def test_blanking_an_event_removes_its_own_chunk_and_changes_no_other(
    data: st.DataObject, history: I32, length: int
) -> None:
    event = data.draw(st.integers(0, len(history) - 1))
    before = disjoint_chunks(history, length).tolist()
    after = disjoint_chunks(_blanked(history, event), length).tolist()
    if event // length < len(history) // length:
        del before[event // length]
    assert after == (before or [[NO_ITEM] * length])


@given(data=st.data(), history=st.lists(st.integers(0, N_ITEMS - 1), min_size=LENGTH, max_size=20))
@settings(max_examples=15, deadline=None)
def test_one_event_moves_the_update_by_at_most_the_bound(data: st.DataObject, history: list[int]) -> None:
    """Zero-out: C, the sensitivity that is priced. Replace-one: 2C, which is not claimed."""
    own = np.array(history, np.int32)
    event = data.draw(st.integers(0, len(own) - 1))
    replaced = own.copy()
    replaced[event] = data.draw(st.integers(0, N_ITEMS - 1))
    update, rounding = _update(own)[0].astype(np.float64), 1e-5
    assert np.linalg.norm(update - _update(_blanked(own, event))[0]) <= CLIP + rounding
    assert np.linalg.norm(update - _update(replaced)[0]) <= 2 * CLIP + rounding


def test_the_bound_is_reached_and_replacing_can_pass_it() -> None:
    """Else the test above could not fail: clipping binds here, and zero-out adjacency is what makes C enough."""
    own = np.array([0, 1, 2, 3, 4, 5, 6, 7], np.int32)
    update = _update(own)[0].astype(np.float64)
    assert np.linalg.norm(update - _update(_blanked(own, 2))[0]) == pytest.approx(CLIP, rel=1e-3)
    moves = []
    for event in range(LENGTH):
        for item in range(N_ITEMS):
            replaced = own.copy()
            replaced[event] = item
            moves.append(np.linalg.norm(update - _update(replaced)[0]))
    assert max(moves) > 1.1 * CLIP


@pytest.mark.parametrize("clip_bound", [0.05, 100.0], ids=["clipped", "unclipped"])
@pytest.mark.parametrize("n_chunks", [1, 3, 300], ids=["one", "few", "more than fit in memory"])
def test_the_update_is_minus_the_sum_of_clipped_gradients(n_chunks: int, clip_bound: float) -> None:
    generator = np.random.default_rng(3)
    history = generator.integers(0, N_ITEMS, n_chunks * LENGTH).astype(np.int32)
    model = _model()
    parameters = TensorLayout.shared(model).select(model)
    expected = torch.zeros(TensorLayout.shared(model).size, dtype=torch.float64)
    for chunk in torch.from_numpy(disjoint_chunks(history, LENGTH)):
        gradients = torch.autograd.grad(ChunkLoss(model)(chunk[None], NEGATIVES).sum(), parameters)
        flat = torch.cat([gradient.flatten() for gradient in gradients]).double()
        expected -= flat * (clip_bound / (flat.norm() + 1e-6)).clamp(max=1)
    update = _update(history, clip_bound=clip_bound)[0]
    np.testing.assert_allclose(
        update, expected.numpy(), rtol=1e-3, atol=2e-5 * np.abs(expected.numpy()).max()
    )


@pytest.mark.parametrize("history", [[], [3], [3, 4, 5], [3, NO_ITEM, 5, 6]])
def test_a_history_without_a_whole_chunk_sends_noise_like_any_other(history: list[int]) -> None:
    own = np.array(history, np.int32)
    assert not _update(own)[0].any()
    noised, charges = _update(own, noise_multiplier=1.5, noise=ReproducibleNoise(0))
    assert noised.all()
    assert charges == ((1.5, 1.0, 1),)


@pytest.mark.parametrize("noise_multiplier", [0.5, 4.0])
@pytest.mark.parametrize("n_chunks", [1, 10])
def test_the_noise_is_gaussian_with_the_deviation_that_was_asked_for(
    noise_multiplier: float, n_chunks: int
) -> None:
    """Whatever the number of chunks: the sum is noised once, and divided by nothing."""
    history = np.arange(n_chunks * LENGTH, dtype=np.int32) % N_ITEMS
    plain = _update(history)[0].astype(np.float64)
    samples = np.concatenate(
        [
            _update(history, noise_multiplier=noise_multiplier, noise=ReproducibleNoise(0, draw))[0] - plain
            for draw in range(40)
        ]
    )
    std = noise_multiplier * CLIP
    assert len(samples) > 1_500
    assert np.std(samples) == pytest.approx(std, rel=0.08)  # 4 standard errors
    assert abs(np.mean(samples)) < 4 * std / len(samples) ** 0.5
    assert kstest(samples / std, "norm").pvalue > 1e-4


def test_noise_is_drawn_anew_each_time_and_from_no_seed() -> None:
    history = np.arange(8, dtype=np.int32)
    draws = []
    for _ in range(2):
        torch.manual_seed(0)
        draws.append(_update(history, noise_multiplier=1.0, noise=CryptographicNoise())[0])
    assert not np.isclose(draws[0], draws[1], atol=1e-7).all()


def test_noise_without_a_source_is_refused() -> None:
    with pytest.raises(ValueError, match="no source of noise"):
        _update(np.arange(8, dtype=np.int32), noise_multiplier=1.0, noise=None)


@pytest.mark.parametrize("history", [[], [1, 2, 3, 4, 5], [*range(12)] * 4])
def test_twenty_rounds_are_one_account_and_priced_as_twenty(history: list[int]) -> None:
    """However long the history: what one event costs depends on the client's participations alone."""
    charges: tuple[Charge, ...] = ()
    for round_ in range(20):
        _, charges = _update(
            np.array(history, np.int32),
            noise_multiplier=1.5,
            noise=ReproducibleNoise(0, round_),
            charges=charges,
        )
    assert charges == ((1.5, 1.0, 20),)
    spent = spent_epsilon(charges, delta=DELTA)
    numerically = PLDAccountant().epsilon([GaussianSum(1.5, Unit.EVENT)] * 20, delta=DELTA)
    assert spent == pytest.approx(numerically, rel=1e-6)
    assert spent > 3 * spent_epsilon(((1.5, 1.0, 1),), delta=DELTA)


def test_a_new_noise_multiplier_is_a_new_line_in_the_account() -> None:
    own = np.arange(8, dtype=np.int32)
    _, charges = _update(own, noise_multiplier=2.0, noise=ReproducibleNoise(0), charges=((1.5, 1.0, 3),))
    assert charges == ((1.5, 1.0, 3), (2.0, 1.0, 1))


def test_the_head_is_put_back_and_the_model_left_as_it_was() -> None:
    model = _model()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    for _ in range(2):  # hooks of the first training do not disturb the second
        update, _ = _update(
            np.arange(8, dtype=np.int32), model=model, noise_multiplier=1.0, noise=ReproducibleNoise(0)
        )
        assert update.any()
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


def test_the_head_is_put_back_when_training_fails() -> None:
    model = _model()
    before = TensorLayout.shared(model).read(model)
    with pytest.raises(ValueError, match="no source"):
        _update(np.arange(8, dtype=np.int32), model=model, noise_multiplier=1.0)
    assert np.array_equal(TensorLayout.shared(model).read(model), before)


def test_the_personal_adapter_has_no_influence_on_what_is_sent() -> None:
    own = np.arange(12, dtype=np.int32)
    model = _model()
    plain = _update(own, model=model)[0]
    personal = TensorLayout.personal(model)
    personal.write(model, np.random.default_rng(4).normal(size=personal.size).astype(np.float32))
    assert np.array_equal(_update(own, model=model)[0], plain)


def test_what_a_person_did_elsewhere_has_no_influence_on_a_chunks_gradient() -> None:
    """Negatives leave out a chunk's own targets, never those of another chunk: the parts add up to the whole."""
    own = np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 5, 3, 1], np.int32)
    parts = sum(_update(own[i : i + LENGTH])[0].astype(np.float64) for i in range(0, len(own), LENGTH))
    np.testing.assert_allclose(_update(own)[0], parts, atol=1e-6)


class Kept:
    """A store that shows whether it was written to."""

    def __init__(self, state: PersonalState) -> None:
        self.state, self.saves = state, 0

    def load(self) -> PersonalState:
        return self.state

    def save(self, state: PersonalState) -> None:
        self.state, self.saves = state, self.saves + 1


def _client(
    guarantee: Guarantee, *, epsilon_limit: float | None, history: I32 | None = None, **training: Any
) -> tuple[ClientPlan, Person, Kept]:
    model = _model()
    plan = ClientPlan(model, TrainingSettings(**training), guarantee, epsilon_limit, DELTA, seed=0)
    store = Kept(PersonalState(TensorLayout.personal(model).read(model)))
    own = np.arange(12, dtype=np.int32) if history is None else history
    return plan, Person(own, store, lambda round_: ReproducibleNoise(0, round_)), store


def _answer(plan: ClientPlan, person: Person, round_: int) -> F32:
    return answer(plan, person, TrainRequest(round_, plan.shared.read(plan.model)))


@pytest.mark.parametrize("unit", [Unit.EVENT, Unit.USER])
def test_a_client_stops_before_its_budget_is_passed_and_nothing_is_trained(unit: Unit) -> None:
    limit = PLDAccountant().epsilon([GaussianSum(1.5, unit)] * 3, delta=DELTA) * 1.0001
    plan, person, store = _client(Guarantee(unit, NoiseAt.CLIENT, CLIP, 1.5), epsilon_limit=limit)
    for round_ in (1, 2, 3):
        assert _answer(plan, person, round_).any()
    state, saves = store.state, store.saves
    with pytest.raises(BudgetExceeded):
        _answer(plan, person, 4)
    assert store.state is state
    assert store.saves == saves == 3
    assert spent_epsilon(state.charges, delta=DELTA) <= limit


@pytest.mark.parametrize("unit", [Unit.EVENT, Unit.USER])
def test_a_clients_own_noise_is_charged_for_life_and_stored_before_anything_leaves(unit: Unit) -> None:
    plan, person, store = _client(Guarantee(unit, NoiseAt.CLIENT, CLIP, 1.5), epsilon_limit=None)
    for round_ in (1, 2):
        _answer(plan, person, round_)
        assert store.state.charges == ((1.5, 1.0, round_),)


@pytest.mark.parametrize("unit", [Unit.EVENT, Unit.USER])
def test_where_the_server_adds_the_noise_the_client_charges_itself_nothing(unit: Unit) -> None:
    plan, person, store = _client(Guarantee(unit, NoiseAt.SERVER, CLIP, 1.5), epsilon_limit=1e-3)
    _answer(plan, person, 1)
    assert store.state.charges == ()


@pytest.mark.parametrize("unit", [Unit.NONE, Unit.EVENT, Unit.USER])
def test_the_adapter_is_trained_and_kept_and_does_not_change_what_is_sent(unit: Unit) -> None:
    guarantee = Guarantee(unit, NoiseAt.SERVER, CLIP, 0.0 if unit is Unit.NONE else 1.5)
    sent = []
    for adapter_steps in (0, 3):
        plan, person, store = _client(guarantee, epsilon_limit=None, adapter_steps=adapter_steps)
        fresh = store.state.adapter
        head = plan.shared.read(plan.model)
        sent.append([answer(plan, person, TrainRequest(round_, head)) for round_ in (1, 2)])
        assert np.array_equal(store.state.adapter, fresh) is (adapter_steps == 0)
    for without, with_adapter in zip(*sent, strict=True):
        assert np.array_equal(without, with_adapter)


def test_a_users_whole_update_is_clipped_once() -> None:
    plan, person, _ = _client(Guarantee(Unit.USER, NoiseAt.SERVER, 0.01, 1.5), epsilon_limit=None)
    assert np.linalg.norm(_answer(plan, person, 1).astype(np.float64)) == pytest.approx(0.01, rel=1e-5)


@pytest.mark.parametrize("history", [[], [3]])
@pytest.mark.parametrize("unit", [Unit.NONE, Unit.EVENT, Unit.USER])
def test_a_person_of_too_few_events_answers_all_the_same(history: list[int], unit: Unit) -> None:
    guarantee = Guarantee(unit, NoiseAt.SERVER, CLIP, 0.0 if unit is Unit.NONE else 1.5)
    plan, person, _ = _client(guarantee, epsilon_limit=None, history=np.array(history, np.int32))
    assert not _answer(plan, person, 1).any()


def test_every_client_of_a_round_uses_the_same_negatives() -> None:
    first, again, next_round = (round_negatives(500, 40, seed=1, round_=r).tolist() for r in (3, 3, 4))
    assert first == again != next_round
