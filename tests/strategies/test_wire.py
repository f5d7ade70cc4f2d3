"""What is no update for this model and this round is refused, before anything is allocated for it."""

import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.serde import message_from_proto, message_to_proto
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.config import ModelSettings
from penchant.errors import NotFinite
from penchant.interest import InterestModel, TensorLayout
from penchant.simulation.grid import LocalGrid
from penchant.strategies.wire import (
    Refused,
    SummedUpdate,
    TrainRequest,
    read_request,
    read_update,
    request_content,
    update_content,
)
from penchant.types import F32

VECTORS = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)
LAYOUT = TensorLayout.shared(InterestModel(VECTORS, ModelSettings(width=4), seed=0))
HEAD = "shared.head.weight"
VALUES = np.random.default_rng(1).normal(size=LAYOUT.size).astype(np.float32)


def _sent(content: RecordDict) -> Message:
    """The message as it arrives: through Flower's own serialisation."""
    LocalGrid(ClientApp(), [])
    message = Message(content, dst_node_id=2, message_type=MessageType.TRAIN)
    return message_from_proto(message_to_proto(message))


def _update() -> RecordDict:
    return update_content(LAYOUT, SummedUpdate(3, VALUES))


def _tensors(content: RecordDict) -> ArrayRecord:
    return content.array_records["update"]


def _with(array: Array, name: str = HEAD) -> RecordDict:
    content = _update()
    _tensors(content)[name] = array
    return content


def _npy(values: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


def _claiming(shape: str, payload: bytes = b"") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + payload


def _raw(data: bytes, *, dtype: str = "float32", stype: str = "numpy.ndarray") -> RecordDict:
    return _with(Array(dtype, (4, 6), stype, data))


@given(
    round_=st.integers(1, 10**6),
    people=st.integers(1, 10**6),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-30, 1.0, 1e30]),
)
@settings(max_examples=30, deadline=None)
def test_an_update_arrives_as_it_was_sent(round_: int, people: int, seed: int, scale: float) -> None:
    values = (scale * np.random.default_rng(seed).normal(size=LAYOUT.size)).astype(np.float32)
    sent = SummedUpdate(round_, values, people)
    received = read_update(LAYOUT, _sent(update_content(LAYOUT, sent)), round_=round_)
    assert (received.round, received.people) == (round_, people)
    assert received.values.tobytes() == values.tobytes()


@pytest.mark.parametrize("people", [(), (0,), (4, 0, 7)])
def test_a_request_arrives_as_it_was_sent(people: tuple[int, ...]) -> None:
    received = read_request(LAYOUT, _sent(request_content(LAYOUT, TrainRequest(5, VALUES, people))))
    assert (received.round, received.people) == (5, people)
    assert received.head.tobytes() == VALUES.tobytes()


def test_an_update_of_zeros_is_admitted() -> None:
    zeros: F32 = np.zeros(LAYOUT.size, np.float32)
    received = read_update(LAYOUT, _sent(update_content(LAYOUT, SummedUpdate(3, zeros))), round_=3)
    assert not received.values.any()


def _without_a_tensor() -> RecordDict:
    content = _update()
    del _tensors(content)[HEAD]
    return content


def _with_a_personal_tensor() -> RecordDict:
    return _with(Array(np.zeros(4, np.float32)), name="personal.user")


def _with_another_record() -> RecordDict:
    content = _update()
    content["adapter"] = ArrayRecord({"x": Array(np.zeros(4, np.float32))})
    return content


def _with_nothing() -> RecordDict:
    return RecordDict({"config": ConfigRecord({"round": 3})})


def _without_config() -> RecordDict:
    content = _update()
    del content["config"]
    return content


def _with_config(**values: Any) -> RecordDict:
    content = _update()
    content["config"] = ConfigRecord(values)
    return content


def _with_metrics() -> RecordDict:
    content = _update()
    content["metrics"] = MetricRecord({"num-examples": 300})
    return content


HOSTILE: dict[str, Callable[[], RecordDict]] = {
    "missing tensor": _without_a_tensor,
    "personal tensor": _with_a_personal_tensor,
    "second array record": _with_another_record,
    "no arrays": _with_nothing,
    "metrics": _with_metrics,
    "no config": _without_config,
    "more in the config": lambda: _with_config(round=3, examples=300),
    "another round": lambda: _with_config(round=2),
    "a round that is text": lambda: _with_config(round="3"),
    "a round that is a fraction": lambda: _with_config(round=3.0),
    "0 people": lambda: _with_config(round=3, people=0),
    "-1 people": lambda: _with_config(round=3, people=-1),
    "people as text": lambda: _with_config(round=3, people="3"),
    "people as a fraction": lambda: _with_config(round=3, people=1.5),
    "people as NaN": lambda: _with_config(round=3, people=float("nan")),
    "people as truth": lambda: _with_config(round=3, people=True),
    "transposed": lambda: _with(Array(np.zeros((6, 4), np.float32))),
    "flat": lambda: _with(Array(np.zeros(24, np.float32))),
    "float64": lambda: _with(Array(np.zeros((4, 6)))),
    "int32": lambda: _with(Array(np.zeros((4, 6), np.int32))),
    "another format": lambda: _raw(_npy(np.zeros((4, 6), np.float32)), stype="torch.tensor"),
    "big endian": lambda: _raw(_npy(np.zeros((4, 6), ">f4"))),
    "columns first": lambda: _raw(_npy(np.asfortranarray(np.zeros((4, 6), np.float32)))),
    "float64 called float32": lambda: _raw(_npy(np.zeros((4, 3)))),
    "pickled objects": lambda: _raw(_npy(np.array([[print] * 6] * 4, object), allow_pickle=True)),
    "objects of the right length": lambda: _raw(_claiming("(4, 6)", bytes(96)).replace(b"<f4", b"|O8")),
    "a pickle": lambda: _raw(b"\x80\x04\x95" + bytes(200)),
    "empty": lambda: _raw(b""),
    "no more than the magic": lambda: _raw(b"\x93NUMPY\x01\x00"),
    "truncated": lambda: _raw(_npy(np.zeros((4, 6), np.float32))[:-1]),
    "too long": lambda: _raw(_npy(np.zeros((4, 6), np.float32)) + b"\x00"),
    "10^12 elements, no data": lambda: _raw(_claiming("(1000000, 1000000)")),
    "10^12 elements, data of the right length": lambda: _raw(_claiming("(1000000, 1000000)", bytes(96))),
    "another shape of the right length": lambda: _raw(_claiming("(6, 4)", bytes(96))),
    "code for a header": lambda: _raw(_claiming("__import__('os').abort()", bytes(96))),
    "a header of 4 GB": lambda: _raw(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(96)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_update_for_this_round_is_refused(content: Callable[[], RecordDict]) -> None:
    with pytest.raises(Refused):
        read_update(LAYOUT, _sent(content()), round_=3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", LAYOUT.names)
def test_one_number_that_is_not_finite_refuses_the_update(name: str, bad: float) -> None:
    tensors = LAYOUT.unflatten(VALUES.copy())
    tensors[name].flat[-1] = bad
    sent = _sent(update_content(LAYOUT, SummedUpdate(3, LAYOUT.flatten(tensors))))
    with pytest.raises(NotFinite):
        read_update(LAYOUT, sent, round_=3)


def test_a_claim_of_10_to_the_12_elements_allocates_nothing() -> None:
    claims = [Array("float32", (1_000_000, 1_000_000), "numpy.ndarray", _claiming("(1000000, 1000000)"))]
    claims += [Array("float32", (4, 6), "numpy.ndarray", _claiming("(1000000, 1000000)", bytes(96)))]
    messages = [_sent(_with(claim)) for claim in claims]
    tracemalloc.start()
    try:
        for message in messages:
            with pytest.raises(Refused):
                read_update(LAYOUT, message, round_=3)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("people", ["3", [1.5], ["ann"], [True]])
def test_a_request_for_no_list_of_people_is_refused(people: Any) -> None:
    content = request_content(LAYOUT, TrainRequest(5, VALUES))
    content["config"] = ConfigRecord({"round": 5, "people": people})
    with pytest.raises(Refused):
        read_request(LAYOUT, _sent(content))


def test_a_clip_bound_that_follows_travels_with_the_head_and_a_hosts_votes_with_its_sum() -> None:
    request = TrainRequest(5, VALUES, (1, 2), clip_bound=0.25)
    assert read_request(LAYOUT, _sent(request_content(LAYOUT, request))).clip_bound == 0.25
    update = SummedUpdate(3, VALUES, 2, within=1)
    assert read_update(LAYOUT, _sent(update_content(LAYOUT, update)), round_=3).within == 1
    alone = update_content(LAYOUT, SummedUpdate(3, VALUES, 1, within=1))
    assert set(alone.config_records["config"]) == {"round"}


@pytest.mark.parametrize("within", [-1, 3, True, 1.0])
def test_votes_that_cannot_be_are_refused(within: Any) -> None:
    content = update_content(LAYOUT, SummedUpdate(3, VALUES, 2))
    content.config_records["config"]["within"] = within
    with pytest.raises(Refused, match="lie within the bound"):
        read_update(LAYOUT, _sent(content), round_=3)


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan"), float("inf"), 1])
def test_clip_bounds_that_cannot_be_are_refused(bound: Any) -> None:
    content = request_content(LAYOUT, TrainRequest(5, VALUES))
    content.config_records["config"]["clip_bound"] = bound
    with pytest.raises(Refused, match="clip_bound"):
        read_request(LAYOUT, _sent(content))
