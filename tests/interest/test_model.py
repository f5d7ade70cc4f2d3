"""The interest model: looks only backwards, starts neutral, keeps what is personal apart, scores what it never saw."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from opacus.validators import ModuleValidator

from penchant.config import ModelSettings
from penchant.errors import BadInput
from penchant.interest import (
    ChunkLoss,
    HistoryLoss,
    InterestModel,
    TensorLayout,
    round_negatives,
    score_people,
)
from penchant.interest.loss import own_targets, softmax_loss
from penchant.types import F32, I32, NO_ITEM

N_ITEMS, DIMENSION = 12, 6
VECTORS = np.random.default_rng(0).normal(size=(N_ITEMS, DIMENSION)).astype(np.float32)
EVERYTHING = torch.arange(N_ITEMS)

WHOLE = ModelSettings(
    width=4, adapter_rank=2, half_lives=(1.5, 9.0), tied=False, residual_scale=0.5, learn_half_lives=True
)
"""Every part that a model can have."""

items = st.integers(0, N_ITEMS - 1)
histories = st.lists(items, min_size=2, max_size=12)


def _fresh() -> InterestModel:
    return InterestModel(VECTORS, ModelSettings(width=4, adapter_rank=2), seed=0)


def _trained() -> InterestModel:
    """Head and adapter moved off their start, the half-life too."""
    model = InterestModel(VECTORS, WHOLE, seed=0)
    for layout in (TensorLayout.shared(model), TensorLayout.personal(model)):
        drift = np.random.default_rng(layout.size).normal(scale=0.4, size=layout.size)
        layout.write(model, (layout.read(model) + drift).astype(np.float32))
    return model


def _scores(model: InterestModel, events: list[int], *, personal: bool = True) -> F32:
    """Scores of every item after each event: float32[n_events, n_items]."""
    with torch.no_grad():
        wrong = model(torch.tensor([[*events, 0]]), EVERYTHING, personal=personal).wrong
    return np.asarray(wrong[0].numpy())


@given(data=st.data(), events=histories)
@settings(max_examples=40, deadline=None)
def test_no_position_sees_what_comes_after_it(data: st.DataObject, events: list[int]) -> None:
    changed = data.draw(st.integers(1, len(events) - 1))
    other = [*events[:changed], *data.draw(st.lists(items, min_size=len(events) - changed, max_size=12))]
    model = _trained()
    np.testing.assert_allclose(
        _scores(model, other)[:changed], _scores(model, events)[:changed], rtol=1e-5, atol=1e-6
    )


def test_the_history_encoder_has_no_gradient_from_later_events() -> None:
    """Exactly, not within rounding; and the past does count, else this could not fail."""
    model = _trained()
    places = torch.randn(1, 7, 2, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for position in range(7):
        (gradient,) = torch.autograd.grad(model.shared.history(places)[0, position].sum(), places)
        assert gradient[0, : position + 1].abs().min() > 0
        assert not gradient[0, position + 1 :].any()


@given(events=histories, padding=st.lists(items, max_size=6), personal=st.booleans())
@settings(max_examples=30, deadline=None)
def test_padding_changes_no_loss(events: list[int], padding: list[int], personal: bool) -> None:
    loss = HistoryLoss(_trained(), personal=personal)
    lengths = torch.tensor([len(events)])
    with torch.no_grad():
        bare = loss(torch.tensor([events]), lengths, EVERYTHING)
        padded = loss(torch.tensor([[*events, *padding]]), lengths, EVERYTHING)
    torch.testing.assert_close(padded, bare)


@given(events=histories)
@settings(max_examples=20, deadline=None)
def test_people_stacked_together_do_not_touch_each_other(events: list[int]) -> None:
    loss = HistoryLoss(_trained(), personal=True)
    rows = [events, list(range(12)), [5, 5]]
    stacked = torch.tensor([row + [0] * (12 - len(row)) for row in rows])
    with torch.no_grad():
        together = loss(stacked, torch.tensor([len(row) for row in rows]), EVERYTHING)
        alone = [loss(torch.tensor([row]), torch.tensor([len(row)]), EVERYTHING) for row in rows]
    torch.testing.assert_close(together, torch.cat(alone))


@given(events=histories)
@settings(max_examples=20, deadline=None)
def test_a_new_adapter_changes_nothing(events: list[int]) -> None:
    model = _fresh()
    assert np.array_equal(_scores(model, events, personal=True), _scores(model, events, personal=False))


def test_every_part_of_the_adapter_can_learn_and_a_trained_one_changes_scores() -> None:
    model = _fresh()
    layout = TensorLayout.personal(model)
    loss = HistoryLoss(model, personal=True)
    for _ in range(2):  # the first factor starts to learn once the second is off zero
        gradients = torch.autograd.grad(
            loss(torch.tensor([[0, 1, 2, 3]]), torch.tensor([4]), EVERYTHING).sum(), layout.select(model)
        )
        with torch.no_grad():
            for parameter, gradient in zip(layout.select(model), gradients, strict=True):
                parameter.sub_(gradient)
    assert all(gradient.any() for gradient in gradients)
    assert not np.allclose(_scores(model, [0, 1], personal=True), _scores(model, [0, 1], personal=False))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_flat_and_named_tensors_are_inverse(seed: int) -> None:
    model = _trained()
    for layout in (TensorLayout.shared(model), TensorLayout.personal(model)):
        flat = np.random.default_rng(seed).normal(size=layout.size).astype(np.float32)
        tensors = layout.unflatten(flat)
        assert {name: values.shape for name, values in tensors.items()} == dict(layout.shapes)
        assert layout.flatten(tensors).tobytes() == flat.tobytes()
        assert layout.flatten(dict(reversed(tensors.items()))).tobytes() == flat.tobytes()
        layout.write(model, flat)
        assert layout.read(model).tobytes() == flat.tobytes()
        stacked = layout.unstack(torch.from_numpy(np.stack([flat, flat + 1])))
        assert all(torch.equal(stacked[n][0], torch.from_numpy(values)) for n, values in tensors.items())


def test_tensors_of_another_model_are_refused() -> None:
    layout = TensorLayout.shared(_fresh())
    tensors = layout.unflatten(np.zeros(layout.size, np.float32))
    name = layout.names[0]
    with pytest.raises(BadInput, match=name):
        layout.flatten({n: v for n, v in tensors.items() if n != name})
    with pytest.raises(BadInput, match=r"personal\.user"):
        layout.flatten({**tensors, "personal.user": np.zeros(4, np.float32)})
    with pytest.raises(BadInput, match="shape"):
        layout.flatten({**tensors, name: np.zeros((2, 2, 2), np.float32)})


@pytest.mark.parametrize("learn_half_lives", [False, True])
def test_the_allow_list_is_shared_and_trained_and_leaves_nothing_out(learn_half_lives: bool) -> None:
    model = InterestModel(VECTORS, ModelSettings(width=4, learn_half_lives=learn_half_lives), seed=0)
    shared, personal = TensorLayout.shared(model), TensorLayout.personal(model)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all(name.startswith("shared.") for name in shared.names)
    assert all(name.startswith("personal.") for name in personal.names)
    assert {*shared.names, *personal.names} == trained
    assert ("shared.history.rate_logit" in shared.names) is learn_half_lives
    assert not any(name.startswith("_module.") for name in shared.names)


def test_a_parameter_that_somebody_adds_elsewhere_does_not_travel() -> None:
    model = _fresh()
    names = TensorLayout.shared(model).names
    model.register_parameter("history_of_views", torch.nn.Parameter(torch.zeros(3)))
    model.register_parameter("sharedish", torch.nn.Parameter(torch.zeros(3)))
    model.personal.register_parameter("shared", torch.nn.Parameter(torch.zeros(3)))
    assert TensorLayout.shared(model).names == names


def test_opacus_refuses_no_layer() -> None:
    for module in (model := _fresh(), ChunkLoss(model)):
        assert ModuleValidator.validate(module.train(), strict=False) == []


def test_a_model_depends_on_its_seed_and_not_on_torchs() -> None:
    torch.manual_seed(1)
    first = _fresh().state_dict()
    torch.manual_seed(2)
    assert all(torch.equal(values, first[name]) for name, values in _fresh().state_dict().items())
    other = InterestModel(VECTORS, ModelSettings(width=4, adapter_rank=2), seed=1)
    assert not torch.equal(other.personal.down, first["personal.down"])


@given(people=st.lists(st.lists(items, min_size=1, max_size=12), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_scores_of_people_are_the_models_own_after_the_last_event(people: list[list[int]]) -> None:
    model = _trained()
    own = [np.array(events, np.int32) for events in people]
    adapter = TensorLayout.personal(model).read(model)
    scored = score_people(model, own, adapters=np.stack([adapter] * len(own)), max_history=50)
    shared_only = score_people(model, own, adapters=None, max_history=50)
    for row, plain, events in zip(scored, shared_only, people, strict=True):
        np.testing.assert_allclose(row, _scores(model, events)[-1], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(plain, _scores(model, events, personal=False)[-1], rtol=1e-4, atol=1e-4)


def test_only_the_latest_events_are_looked_at_as_in_training() -> None:
    model, long = _trained(), np.array([3, 1, 4, 1, 5, 9, 2, 6], np.int32)
    cut = score_people(model, [long], adapters=None, max_history=3)
    assert np.array_equal(cut, score_people(model, [long[-3:]], adapters=None, max_history=50))
    assert not np.allclose(cut, score_people(model, [long], adapters=None, max_history=50))


def test_a_person_without_events_gets_what_the_head_ranks_for_everyone() -> None:
    model = _trained()
    nobody: I32 = np.empty(0, np.int32)
    scores = score_people(model, [nobody, np.array([3], np.int32)], adapters=None, max_history=50)
    with torch.no_grad():
        wishes = model.places(torch.arange(N_ITEMS))[:, 0]
        expected = wishes @ model.shared.history.neutral + model.prior_scale * model.shared.prior.weight[:, 0]
    np.testing.assert_allclose(scores[0], expected.numpy(), rtol=1e-5, atol=1e-5)
    assert np.isfinite(scores).all()


def test_an_item_that_nobody_saw_is_scored_by_its_text_alone() -> None:
    """The head of one catalogue serves items that came later: near a liked item's text, near its score."""
    model = _trained()
    later = np.concatenate([VECTORS, VECTORS[3:4], -VECTORS[3:4]])
    grown = InterestModel(later, WHOLE, seed=0)
    grown.shared.head.load_state_dict(model.shared.head.state_dict())
    own = [np.array([3, 3], np.int32)]
    scores = score_people(grown, own, adapters=None, max_history=50)[0]
    assert scores[N_ITEMS] == pytest.approx(scores[3])
    assert scores[N_ITEMS] > scores[N_ITEMS + 1]


@given(
    n_items=st.integers(1, 300),
    count=st.integers(0, 400),
    seed=st.integers(0, 2**31),
    round_=st.integers(1, 10_000),
)
@settings(max_examples=50, deadline=None)
def test_a_rounds_negatives_are_items_without_repeats_and_the_same_for_everyone(
    n_items: int, count: int, seed: int, round_: int
) -> None:
    """A function of public values alone: nothing about a person can be passed to it."""
    drawn = round_negatives(n_items, count, seed=seed, round_=round_)
    assert len(set(drawn.tolist())) == len(drawn) == (min(count, n_items) or n_items)
    assert set(drawn.tolist()) <= set(range(n_items))
    torch.manual_seed(round_)
    np.random.seed(round_)
    assert torch.equal(drawn, round_negatives(n_items, count, seed=seed, round_=round_))


def test_every_item_is_a_negative_as_often_as_any_other() -> None:
    """So a model that counts negatives learns nothing: no item, held out or not, is spared."""
    drawn = [round_negatives(50, 10, seed=0, round_=round_) for round_ in range(1_000)]
    times = np.bincount(torch.cat(drawn), minlength=50)
    assert times.min() > 200 - 5 * 12.7  # binomial: mean 200, deviation 12.7
    assert times.max() < 200 + 5 * 12.7


@given(rows=st.lists(st.lists(items, min_size=4, max_size=4), min_size=1, max_size=4), data=st.data())
def test_own_targets_are_the_samples_own_and_no_others(rows: list[list[int]], data: st.DataObject) -> None:
    counted = data.draw(
        st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=len(rows), max_size=len(rows))
    )
    negatives = data.draw(st.lists(items, min_size=1, unique=True))
    excluded = own_targets(
        torch.tensor(rows), torch.tensor(counted), torch.tensor(negatives), n_items=N_ITEMS
    )
    own = [
        {item for item, counts in zip(*pair, strict=True) if counts}
        for pair in zip(rows, counted, strict=True)
    ]
    assert excluded.tolist() == [[item in targets for item in negatives] for targets in own]


def test_with_all_items_as_negatives_the_loss_is_the_cross_entropy_over_the_catalogue() -> None:
    """Of one target, with the target itself as the only exclusion: the known answer, by torch."""
    generator = torch.Generator().manual_seed(0)
    scores, target = torch.randn(5, N_ITEMS, generator=generator), torch.tensor([0, 3, 3, 7, 11])
    right = scores.gather(1, target[:, None])
    excluded = own_targets(target[:, None], torch.ones(5, 1, dtype=torch.bool), EVERYTHING, n_items=N_ITEMS)
    ours = softmax_loss(right, scores[:, None], excluded, n_items=N_ITEMS)[:, 0]
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(scores, target, reduction="none"))


def test_fewer_negatives_stand_for_the_whole_catalogue_in_expectation() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 0.3 * torch.randn(400, generator=generator)
    right = scores[:1].reshape(1, 1)
    whole = torch.nn.functional.cross_entropy(scores[None], torch.tensor([0]))
    sampled = []
    for round_ in range(300):
        negatives = 1 + round_negatives(399, 50, seed=0, round_=round_)
        excluded = torch.zeros(1, 50, dtype=torch.bool)
        sampled.append(softmax_loss(right, scores[negatives].reshape(1, 1, -1), excluded, n_items=400))
    assert torch.cat(sampled).mean() == pytest.approx(whole.item(), abs=0.01)


def test_a_chunk_that_is_not_whole_has_no_loss_and_no_gradient() -> None:
    model = _trained()
    chunks = torch.tensor([[1, 2, 3, 4], [NO_ITEM] * 4])
    loss = ChunkLoss(model)(chunks, EVERYTHING)
    assert loss[0] > 0
    assert loss[1] == 0
    gradients = torch.autograd.grad(loss[1], TensorLayout.shared(model).select(model))
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("events", [[4, 0], [0, 0]])
def test_fewer_than_two_events_have_no_loss(events: list[int]) -> None:
    model = _trained()
    for length in (0, 1):
        assert HistoryLoss(model)(torch.tensor([events]), torch.tensor([length]), EVERYTHING) == 0
