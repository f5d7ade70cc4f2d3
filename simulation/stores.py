"""The personal state of all simulated people, stacked: one array for the adapters, saved with each checkpoint."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from penchant.client.store import Charge, PersonalState, charged
from penchant.rundir import write_atomically, write_json
from penchant.types import F32


class StackedStores:
    """`of(person)` is that person's `ClientStore`. adapters: float32[n_people, n_personal]."""

    def __init__(self, initial_adapter: F32, n_people: int) -> None:
        self.adapters: F32 = np.broadcast_to(initial_adapter, (n_people, len(initial_adapter)))
        self.charges: list[tuple[Charge, ...]] = [()] * n_people

    def of(self, person: int) -> "PersonStore":
        return PersonStore(self, person)

    def keep(self, people: Sequence[int], adapters: F32) -> None:
        """Remember what some people's adapters have become. Memory for everyone's is taken on first use."""
        if not self.adapters.flags.writeable:
            self.adapters = self.adapters.copy()
        self.adapters[list(people)] = adapters

    def charge(self, person: int, noise_multiplier: float) -> None:
        """Add one release, everyone's chunks or whole update taking part, to a person's account for life."""
        self.charges[person] = charged(self.charges[person], noise_multiplier)

    def save(self, folder: Path, round_: int) -> None:
        """Write the state after a round; the round before stays until the next, and older ones go."""
        write_atomically(folder / _adapters(round_), save({"adapters": np.ascontiguousarray(self.adapters)}))
        write_json(
            folder / _charges(round_),
            {"round": round_, "charges": [list(map(list, c)) for c in self.charges]},
        )
        for old in folder.glob("round-*"):
            if int(old.stem.split("-")[1]) < round_ - 1:
                old.unlink()

    def restore(self, folder: Path, round_: int) -> None:
        """Read the state after a round."""
        self.adapters = load_file(folder / _adapters(round_))["adapters"]
        record = json.loads((folder / _charges(round_)).read_text(encoding="utf-8"))
        self.charges = [tuple((z, q, int(n)) for z, q, n in c) for c in record["charges"]]

    def participations(self) -> Counter[tuple[Charge, ...]]:
        """How many people have each account, for pricing each once."""
        return Counter(self.charges)


class PersonStore:
    """One person's view of the stack."""

    def __init__(self, stores: StackedStores, person: int) -> None:
        self._stores, self._person = stores, person

    def load(self) -> PersonalState:
        return PersonalState(self._stores.adapters[self._person].copy(), self._stores.charges[self._person])

    def save(self, state: PersonalState) -> None:
        self._stores.keep([self._person], state.adapter[None])
        self._stores.charges[self._person] = state.charges


def _adapters(round_: int) -> str:
    return f"round-{round_:06d}.safetensors"


def _charges(round_: int) -> str:
    return f"round-{round_:06d}.json"
