"""The privacy ledger: charged before anything is released, never refunded, never rewritten.

The order that never under-counts: reserve, draw the noise, persist the noised value, mark it released, publish it. Each
step is one durable entry; a crash between any two leaves a ledger that shows at least what got out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from penchant.errors import BadInput, BudgetExceeded, CheckFailed
from penchant.privacy.accountants import PLDAccountant, checked_delta
from penchant.privacy.chain import Entry, seal, signed
from penchant.privacy.charges import Charge, Charges, State, reservation
from penchant.privacy.events import PrivacyEvent
from penchant.privacy.keys import SigningKey
from penchant.privacy.ledger_file import LedgerFile, read_ledger
from penchant.privacy.witness import Witness
from penchant.types import NoiseAt

__all__ = ["Budget", "Ledger", "read_ledger"]

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may ever be spent."""

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        checked_delta(self.delta)
        if not self.epsilon > 0:
            raise BadInput(f"epsilon {self.epsilon}: must be above 0")


class Ledger:
    """The one writer of a ledger. Use as a context manager, or call `close`."""

    def __init__(
        self,
        path: Path,
        *,
        run_id: str,
        signer: SigningKey | None = None,
        witness: Witness | None = None,
        configuration: str | None = None,
    ) -> None:
        """Open or create, take the writer's lock, and check the whole chain.

        signer: signs every entry, from the first.  witness: keeps the head of each release elsewhere, so that a
        truncated or an old copy is noticed.  configuration: SHA-256 of the settings that the ledger speaks of.
        Raises: BadInput when another process writes it, the key is another, or the configuration changed; CheckFailed
        naming the first wrong entry, or where the head went backwards; EnvironmentMissing for a full disk.
        """
        self.path = path
        self.run_id = run_id
        self._signer = signer
        self._witness = witness
        self._file = LedgerFile(path)
        try:
            self._head = self._file.entries[-1] if self._file.entries else None
            self.charges = Charges(self._file.entries)
            self._admit(self._file.entries, configuration)
        except BaseException:
            self._file.close()
            raise

    def _admit(self, entries: Sequence[Entry], configuration: str | None) -> None:
        key = self._signer.public.text if self._signer else None
        if self._witness:
            self._witness.check(entries)
        if not entries:
            self._append({"state": "opened", "format": _FORMAT, "key": key, "configuration": configuration})
            return
        opened = entries[0].content
        if opened["format"] != _FORMAT:
            raise BadInput(f"{self.path}: ledger format {opened['format']}, this version writes {_FORMAT}")
        if opened["key"] != key:
            raise BadInput(f"{self.path}: opened with key {opened['key']}; give that key, not {key}")
        if opened["configuration"] not in (None, configuration):
            raise BadInput(
                f"{self.path}: the settings changed since this ledger was opened; start another run"
            )
        if self._signer:
            signed(entries, self._signer.public)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the next writer in."""
        self._file.close()

    @property
    def head(self) -> Entry:
        """The last entry."""
        assert self._head is not None
        return self._head

    def reserve(
        self,
        round_: int,
        event: PrivacyEvent,
        *,
        budget: Budget,
        reproducible: bool,
        people: Sequence[str] | None = None,
        purpose: str = "update",
    ) -> Charge:
        """Charge a release before anything of it exists.

        people: pseudonyms of those who pay, where it is not everybody; never for a secret sample.
        Raises: BudgetExceeded, and then nothing was charged.
        """
        named = None if people is None else frozenset(people)
        charge = Charge(0, self.run_id, round_, event, purpose, named, reproducible)
        self._check_affordable(charge, budget)
        return self.charges.get(self._append(reservation(charge)).number)

    def resume(
        self,
        round_: int,
        event: PrivacyEvent,
        *,
        budget: Budget,
        reproducible: bool,
        noise_at: NoiseAt,
        people: Sequence[str] | None = None,
        purpose: str = "update",
    ) -> Charge:
        """The charge under which a round's noise may be drawn, after a crash or for the first time.

        A value that was persisted and is still there needs no draw: mark its charge released and publish it. Otherwise:

        - Never reserved: a new charge.
        - Reserved or persisted with reproducible noise: that charge again, for the value comes out the same.
        - Reserved, noise at the server: that charge again, for the noise was only ever in memory.
        - Reserved with noise at the clients (noised values may have left), persisted and lost, or the terms changed:
          aborted, still counted, and charged anew.

        Raises: CheckFailed where the round was released before; BudgetExceeded.
        """
        named = None if people is None else frozenset(people)
        wanted = Charge(0, self.run_id, round_, event, purpose, named, reproducible)
        for charge in self.charges.of_round(wanted):
            if charge.state is State.ABORTED:
                continue
            same = charge.terms == wanted.terms
            if same and (reproducible or (charge.state is State.RESERVED and noise_at is NoiseAt.SERVER)):
                return charge
            if charge.went_out:
                raise CheckFailed(
                    f"{self.path}: round {round_} was released before; it cannot be drawn again"
                )
            self.aborted(charge.id, reason="the noised value is lost, may have left, or the terms changed")
        return self.reserve(
            round_, event, budget=budget, reproducible=reproducible, people=people, purpose=purpose
        )

    def persisted(self, charge: int, result: str) -> None:
        """The noised value is durable. result: its SHA-256, in hexadecimal."""
        self._move(charge, State.PERSISTED, result=result)

    def released(self, charge: int) -> None:
        """From now on the value may be seen. Raises: CheckFailed where the round was released before."""
        self._move(charge, State.RELEASED)
        if self._witness:
            self._witness.keep(self.head)

    def published(self, charge: int) -> None:
        """The value reached those for whom it is meant."""
        self._move(charge, State.PUBLISHED)

    def aborted(self, charge: int, *, reason: str) -> None:
        """Nothing will come of this charge. It still counts."""
        self._move(charge, State.ABORTED, reason=reason)

    def epsilon(self, *, delta: float, person: str | None = None) -> float:
        """Spent so far, by PLD: by one person, or by whoever paid most."""
        return PLDAccountant().epsilon(self.charges.spent(person), delta=delta)

    def _check_affordable(self, charge: Charge, budget: Budget) -> None:
        spent = (
            self.charges.spent() if charge.people is None else self.charges.spent_by_dearest(charge.people)
        )
        reached = PLDAccountant().epsilon([*spent, charge.event], delta=budget.delta)
        if reached > budget.epsilon:
            raise BudgetExceeded(
                f"round {charge.round} would reach epsilon {reached:.3f} > {budget.epsilon:g} at delta"
                f" {budget.delta:g}: it does not run. `penchant plan` gives the noise for more rounds"
            )

    def _move(self, charge: int, state: State, **facts: str) -> None:
        self.charges.get(charge)
        self._append({"state": state.value, "charge": charge, **facts})

    def _append(self, content: Mapping[str, Any]) -> Entry:
        """Write one entry, durable when this returns; memory follows the file, never leads it."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        entry = seal({**content, "run": self.run_id, "at": at}, after=self._head, signer=self._signer)
        self.charges.preview(entry)
        self._file.append(entry)
        self.charges.apply(entry)
        self._head = entry
        return entry
