"""The privacy ledger: one append-only SQLite file, charged before anything is released.

The order that never under-counts: reserve, draw the noise, persist the noised value, mark it released,
publish it. Each step is one durable entry (`synchronous=FULL`); a crash between any two leaves a ledger that
shows at least what got out.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from penchant.errors import BadInput, BudgetExceeded, CheckFailed, EnvironmentMissing
from penchant.privacy.accountants import PLDAccountant, checked_delta
from penchant.privacy.chain import GENESIS, Entry, linked, seal
from penchant.privacy.charges import Charge, Charges, State, reservation
from penchant.privacy.events import PrivacyEvent
from penchant.types import NoiseAt

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY, previous TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL, signature TEXT
) STRICT;
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
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

    def __init__(self, path: Path, *, run_id: str) -> None:
        """Open or create, take the writer's lock, and check the whole chain.

        Raises: BadInput when another process writes it; CheckFailed naming the first wrong entry;
        EnvironmentMissing where the disk is full or read-only.
        """
        self.path = path
        self.run_id = run_id
        self._lock = _locked(path)
        try:
            with _explained(path):
                self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute("PRAGMA synchronous=FULL")
                self._database.executescript(_SCHEMA)
                entries = list(linked(_entries(self._database)))
            self.charges = Charges(entries)
            self._head = entries[-1] if entries else None
            if self._head is None:
                self._append({"state": "opened", "format": _FORMAT})
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log into the file and let the next writer in."""
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._database.close()
        os.close(self._lock)

    @property
    def head(self) -> Entry:
        """The last entry: what a witness keeps, so that a truncated or an old copy is noticed."""
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
        entry = seal({**content, "run": self.run_id, "at": at}, after=self._head)
        self.charges.preview(entry)
        with _explained(self.path):
            self._insert(entry)
        self.charges.apply(entry)
        self._head = entry
        return entry

    def _insert(self, entry: Entry) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            last = self._database.execute("SELECT hash FROM entries ORDER BY number DESC LIMIT 1").fetchone()
            if (last[0] if last else GENESIS) != entry.previous:
                raise CheckFailed(
                    f"{self.path}: somebody else wrote to this ledger; run `penchant audit verify`"
                )
            row = (entry.number, entry.previous, entry.body, entry.hash)
            self._database.execute(
                "INSERT INTO entries (number, previous, body, hash) VALUES (?, ?, ?, ?)", row
            )
            self._database.execute("COMMIT")
        except BaseException:
            self._database.rollback()
            raise


def read_ledger(path: Path) -> list[Entry]:
    """Every entry of a ledger, chain checked, without the writer's lock and without changing the file.

    Raises: BadInput where there is none; CheckFailed naming the first wrong entry.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no ledger here")
    with (
        _explained(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database,
    ):
        return list(linked(_entries(database)))


def _entries(database: sqlite3.Connection) -> list[Entry]:
    rows = database.execute("SELECT number, previous, body, hash FROM entries ORDER BY number")
    return [Entry(*row) for row in rows]


def _locked(path: Path) -> int:
    """An advisory lock beside the ledger; the kernel drops it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise BadInput(f"{path}: another process writes this ledger; stop it, or use another run") from error
    return handle


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise EnvironmentMissing(
            f"{path}: {error}; nothing was released. Free the disk and resume"
        ) from error
    except sqlite3.DatabaseError as error:
        raise CheckFailed(
            f"{path}: the ledger's file is damaged ({error}); restore it from a copy"
        ) from error
