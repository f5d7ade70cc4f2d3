"""What a client keeps between rounds and never sends: its adapter and its own privacy account."""

from dataclasses import dataclass, field
from typing import Protocol

from penchant.types import F32

Charge = tuple[float, float, int]
"""Opacus' own record: noise multiplier, sampling rate, steps."""


@dataclass(frozen=True, slots=True)
class PersonalState:
    """adapter: float32[n_personal], flat in the order of `TensorLayout.personal`; charges: every release for life."""

    adapter: F32
    charges: tuple[Charge, ...] = field(default=())


class ClientStore(Protocol):
    """Where one person's state lives. On a device it is durable; in a simulation the run checkpoints it."""

    def load(self) -> PersonalState: ...

    def save(self, state: PersonalState) -> None: ...
