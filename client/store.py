"""What a client keeps between rounds and never sends: its adapter and its own privacy account."""

from dataclasses import dataclass, field
from typing import Protocol

from penchant.errors import BadInput
from penchant.types import F32

Charge = tuple[float, float, int]
"""Opacus' own record: noise multiplier, sampling rate, steps."""


def charged(charges: tuple[Charge, ...], noise_multiplier: float) -> tuple[Charge, ...]:
    """A client's account with one more release in which all of its data took part (rate 1); equal steps are counted."""
    *before, last = charges or ((noise_multiplier, 1.0, 0),)
    if last[:2] != (noise_multiplier, 1.0):
        return (*charges, (noise_multiplier, 1.0, 1))
    return (*before, (*last[:2], last[2] + 1))


@dataclass(frozen=True, slots=True)
class PersonalState:
    """adapter: float32[n_personal], flat in the order of `TensorLayout.personal`; charges: every release for life."""

    adapter: F32
    charges: tuple[Charge, ...] = field(default=())


class Erased(BadInput):
    """The person erased the device; whoever still works for it stops."""


class ClientStore(Protocol):
    """Where one person's state lives. On a device it is durable; in a simulation the run checkpoints it."""

    def load(self) -> PersonalState: ...

    def save(self, state: PersonalState) -> None: ...
