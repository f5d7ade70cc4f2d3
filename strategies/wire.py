"""What travels between server and clients, and what is admitted: one request, one update, allow-listed tensors."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from penchant.errors import BadInput, NotFinite
from penchant.interest import TensorLayout
from penchant.types import F32

_HEAD: Final = "head"
_UPDATE: Final = "update"
_CONFIG: Final = "config"
_CONFIG_KEYS: Final = {
    _HEAD: frozenset({"round", "people", "clip_bound"}),
    _UPDATE: frozenset({"round", "people", "within"}),
}
"""What may stand beside a head, and beside an update. A single person's update has the round alone beside it."""

_NPY_HEADER_LIMIT: Final = 4096


class Refused(BadInput):
    """A message that is not admitted. The round goes on without it."""


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """Server to client: train on this head.

    round: from 1.  head: float32[n_shared].  people: whom to train, where a node hosts many people; empty otherwise.
    clip_bound: of a person's update, where it follows them; None: the one that was agreed on.
    """

    round: int
    head: F32
    people: tuple[int, ...] = ()
    clip_bound: float | None = None


@dataclass(frozen=True, slots=True)
class SummedUpdate:
    """Client to server: the sum of the updates of `people` persons, each within the clip bound of its mechanism.

    round: which request it answers.  values: float32[n_shared], in parameter units.
    within: how many of several people's updates lay within a bound that follows them; one person says nothing of it.
    """

    round: int
    values: F32
    people: int = 1
    within: int | None = None


def arrays(layout: TensorLayout, flat: F32) -> ArrayRecord:
    """The layout's tensors as a Flower record: contiguous float32, little endian."""
    return ArrayRecord({n: Array(np.ascontiguousarray(t, "<f4")) for n, t in layout.unflatten(flat).items()})


def request_content(layout: TensorLayout, request: TrainRequest) -> RecordDict:
    config = ConfigRecord({"round": request.round})
    if request.people:
        config["people"] = list(request.people)
    if request.clip_bound is not None:
        config["clip_bound"] = request.clip_bound
    return RecordDict({_HEAD: arrays(layout, request.head), _CONFIG: config})


def read_request(layout: TensorLayout, message: Message) -> TrainRequest:
    """Raises: Refused when the message is not a request for this model."""
    content = message.content
    return TrainRequest(
        round=_integer(content, "round"),
        head=_admitted(layout, content, _HEAD),
        people=tuple(_optional_list(content, "people")),
        clip_bound=_optional_bound(content),
    )


def update_content(layout: TensorLayout, update: SummedUpdate) -> RecordDict:
    """What leaves a client: the allow-listed tensors and the round. Nothing counted, nothing personal."""
    config = ConfigRecord({"round": update.round})
    if update.people != 1:
        config["people"] = update.people
        if update.within is not None:
            config["within"] = update.within
    return RecordDict({_UPDATE: arrays(layout, update.values), _CONFIG: config})


def read_update(layout: TensorLayout, message: Message, *, round_: int) -> SummedUpdate:
    """Check an update before its arrays are allocated. Raises: Refused, saying what is wrong with it."""
    content = message.content
    answered = _integer(content, "round")
    if answered != round_:
        raise Refused(f"an update for round {answered} came in round {round_}")
    people = content.config_records[_CONFIG].get("people", 1)
    if type(people) is not int or people < 1:
        raise Refused(f"an update says that it sums {people!r} people")
    within = content.config_records[_CONFIG].get("within")
    if within is not None and not (type(within) is int and 0 <= within <= people):
        raise Refused(f"an update says that {within!r} of {people} people lie within the bound")
    values = _admitted(layout, content, _UPDATE)
    return SummedUpdate(answered, values, people, within if type(within) is int else None)


def bytes_of(content: RecordDict) -> int:
    """Bytes of the arrays in a message's content."""
    return sum(len(array.data) for record in content.array_records.values() for array in record.values())


def _admitted(layout: TensorLayout, content: RecordDict, record: str) -> F32:
    if set(content) != {record, _CONFIG} or record not in content.array_records:
        raise Refused(f"records {sorted(content)}, expected arrays {record!r} and {_CONFIG!r} alone")
    if unknown := set(content.config_records[_CONFIG]) - _CONFIG_KEYS[record]:
        raise Refused(f"{_CONFIG} tells of {sorted(unknown)}: only {sorted(_CONFIG_KEYS[record])} may travel")
    sent = content.array_records[record]
    if set(sent) != set(layout.names):
        raise Refused(f"tensors differ from the allow-list: {sorted(set(sent) ^ set(layout.names))}")
    flat = layout.flatten(dict(_checked_arrays(layout, sent)))
    if not np.isfinite(flat).all():
        raise NotFinite("an update holds NaN or Inf")
    return flat


def _checked_arrays(layout: TensorLayout, sent: ArrayRecord) -> Iterator[tuple[str, F32]]:
    for name, shape in layout.shapes:
        array = sent[name]
        if (
            array.dtype not in ("float32", "<f4")
            or tuple(array.shape) != shape
            or array.stype != "numpy.ndarray"
        ):
            raise Refused(
                f"{name} is {array.stype} {array.dtype} {tuple(array.shape)}, expected float32 {shape}"
            )
        yield name, _decode(name, array.data, shape)


def _decode(name: str, raw: bytes, shape: tuple[int, ...]) -> F32:
    """Decode a .npy payload. Its header must be the one that NumPy writes for this shape: nothing in it is believed."""
    if raw[:6] != b"\x93NUMPY" or len(raw) < 12:
        raise Refused(f"{name}: not a .npy payload")
    wide = raw[6] >= 2
    (header_length,) = struct.unpack("<I" if wide else "<H", raw[8 : 12 if wide else 10])
    start = (12 if wide else 10) + header_length
    n_bytes = 4 * int(np.prod(shape, dtype=np.int64))
    if header_length > _NPY_HEADER_LIMIT or len(raw) != start + n_bytes:
        raise Refused(f"{name}: {len(raw)} bytes, expected a header and {n_bytes} bytes")
    header = "".join(raw[start - header_length : start].decode("latin-1").split())
    expected = "".join(f"{{'descr':'<f4','fortran_order':False,'shape':{shape},}}".split())
    if header != expected:
        raise Refused(f"{name}: header {header[:80]!r}, expected {expected!r}")
    return np.frombuffer(raw, "<f4", offset=start).reshape(shape)


def _integer(content: RecordDict, key: str) -> int:
    value = content.config_records.get(_CONFIG, ConfigRecord()).get(key)
    if type(value) is not int:  # truth values are integers to isinstance
        raise Refused(f"{key} is {value!r}, expected an integer")
    return value


def _optional_bound(content: RecordDict) -> float | None:
    value = content.config_records[_CONFIG].get("clip_bound")
    if value is None:
        return None
    if not (isinstance(value, float) and isfinite(value) and value > 0):
        raise Refused(f"clip_bound is {value!r}, expected a number above 0")
    return value


def _optional_list(content: RecordDict, key: str) -> list[int]:
    value = content.config_records[_CONFIG].get(key, [])
    if not isinstance(value, list) or not all(type(v) is int for v in value):
        raise Refused(f"{key} is {value!r}, expected a list of integers")
    return [v for v in value if type(v) is int]
