"""One person's store on one device: events, adapter, account, choices; sealed record by record in one SQLite file."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from penchant.client.account import FILE as ACCOUNT
from penchant.client.account import larger, read_account, write_account
from penchant.client.preferences import Preferences
from penchant.client.schema import connect, transaction
from penchant.client.sealing import Sealer, Secret, WrappedKey
from penchant.client.store import Erased, PersonalState
from penchant.errors import BadInput
from penchant.types import F32, I32, Event, Kind

FILE: Final = "store.sqlite"
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event and the number by which it can be forgotten; later ones have higher numbers."""

    id: int
    event: Event


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Something that left the device, or that the person decided. at: seconds since 1970 (UTC)."""

    at: int
    what: str
    detail: Mapping[str, Any]


class DeviceStore:
    """Every method is durable when it returns, and sees what other processes have written.

    erased: whether `erase` has been called; nothing else can be called then.
    What anybody can read in the file without the key: how many events and records there are, and their lengths.
    """

    def __init__(self, home: Path, connection: sqlite3.Connection, sealer: Sealer) -> None:
        self.home = home
        self._connection = connection
        self._sealer = sealer
        self._lock = threading.RLock()
        self.erased = False
        self._cached: tuple[tuple[int, int], list[StoredEvent]] | None = None

    @classmethod
    def create(cls, home: Path, secret: Secret) -> "DeviceStore":
        """A new store in the folder `home`. Budget that was spent before an erasure stays spent.

        Raises: BadInput where a store is there already.
        """
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = home / FILE
        if path.exists() and not _is_erased(path):
            raise BadInput(f"{path}: a store is here already; `penchant client erase {home}` removes it")
        path.touch(mode=0o600)
        connection = connect(path, new=True)
        sealer = Sealer.new()
        key = sealer.wrapped(secret)
        with transaction(connection):
            _clear(connection)
            connection.execute("INSERT INTO key VALUES (1, ?, ?, ?)", (key.method, key.salt, key.sealed))
        return cls(home, connection, sealer)

    @classmethod
    def open(cls, home: Path, secret: Secret) -> "DeviceStore":
        """Raises: BadInput where there is no store, or the secret does not open it."""
        connection = connect(home / FILE, new=False)
        try:
            row = connection.execute("SELECT method, salt, sealed FROM key").fetchone()
            if row is None:
                raise BadInput(
                    f"{home / FILE}: this store was erased; `penchant client init {home}` starts anew"
                )
            store = cls(home, connection, WrappedKey(*row).open(secret))
        except BaseException:
            connection.close()
            raise
        store.expire()
        return store

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "DeviceStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def change_secret(self, secret: Secret) -> None:
        """Let another secret open the store, and the one so far no more."""
        key = self._sealer.wrapped(secret)
        with self._lock, transaction(self._connection):
            self._connection.execute(
                "UPDATE key SET method = ?, salt = ?, sealed = ?", (key.method, key.salt, key.sealed)
            )

    # Events

    def add(self, events: Iterable[Event]) -> list[int]:
        """Keep events, all or none of them. Returns their ids."""
        with self._lock, transaction(self._connection):
            rows = list(enumerate(events, start=_next_id(self._connection, "events")))
            self._connection.executemany(
                "INSERT INTO events VALUES (?, ?)", ((i, self._sealed_event(i, event)) for i, event in rows)
            )
        return [i for i, _ in rows]

    def events(self) -> list[StoredEvent]:
        """Every event in order of time; events of one second in the order of their arrival."""
        with self._lock:
            state = self._state()
            if self._cached is None or self._cached[0] != state:
                rows = self._connection.execute("SELECT id, sealed FROM events").fetchall()
                found = [StoredEvent(i, self._opened_event(i, sealed)) for i, sealed in rows]
                self._cached = state, sorted(found, key=lambda one: (one.event.at, one.id))
            return list(self._cached[1])

    def counted(self, index: Mapping[str, int]) -> list[StoredEvent]:
        """Events in order of time that say something to a model: of kinds that count, on items that it knows.

        index: item id -> catalogue index, as `Catalogue.index`.
        """
        kinds = self.preferences().kinds
        return [one for one in self.events() if one.event.kind in kinds and one.event.item in index]

    def history(self, index: Mapping[str, int]) -> I32:
        """The catalogue indices of `counted`: int32[n]."""
        return np.array([index[one.event.item] for one in self.counted(index)], dtype=np.int32)

    def forget(self, event_id: int) -> None:
        """Raises: BadInput for an event that is not there."""
        with self._lock, transaction(self._connection):
            if not self._connection.execute("DELETE FROM events WHERE id = ?", (event_id,)).rowcount:
                raise BadInput(f"no event {event_id} in this store")

    def expire(self, *, now: float | None = None) -> int:
        """Delete what is older than the person wants it kept. Returns how many events that were."""
        days = self.preferences().retention_days
        if days is None:
            return 0
        oldest = (time.time() if now is None else now) - days * _DAY
        old = [(one.id,) for one in self.events() if one.event.at < oldest]
        with self._lock, transaction(self._connection):
            self._connection.executemany("DELETE FROM events WHERE id = ?", old)
        return len(old)

    # Choices

    def consents(self) -> bool:
        """Whether the person takes part in training: read from the disk now. Nobody does who was not asked."""
        return bool((self._read_json("consent") or {}).get("given", False))

    def set_consent(self, given: bool) -> None:
        self._write({"consent": _json({"given": given, "at": int(time.time())})})
        self.note("consent given" if given else "consent withdrawn")

    def preferences(self) -> Preferences:
        return Preferences.model_validate(self._read_json("preferences") or {})

    def set_preferences(self, preferences: Preferences) -> None:
        self._write({"preferences": _json(preferences.model_dump(mode="json"))})
        self.expire()

    # What training keeps

    def personal(self, initial: F32, *, belongs_to: str) -> "PersonalRecord":
        """The adapter and the account, as training wants them.

        initial: float32[n_personal], the adapter of a model that has learned nothing about the person.
        belongs_to: the invitation's digest; an adapter of another model is not used.
        """
        return PersonalRecord(self, initial, belongs_to)

    def adapter(self, *, belongs_to: str) -> F32 | None:
        """float32[n_personal]; None where nothing was learned yet, or on another model."""
        whose, _, values = (self._read("adapter") or b"").partition(b"\n")
        return np.frombuffer(values, "<f4").copy() if whose == belongs_to.encode() else None

    def any_adapter(self) -> list[float]:
        """What was learned about the person, of whatever model; empty where nothing was."""
        values = (self._read("adapter") or b"").partition(b"\n")[2]
        return [float(value) for value in np.frombuffer(values, "<f4")]

    def keep_adapter(self, adapter: F32, *, belongs_to: str) -> None:
        values = np.ascontiguousarray(adapter, "<f4").tobytes()
        self._write({"adapter": belongs_to.encode() + b"\n" + values})

    # The journal

    def note(self, what: str, **detail: Any) -> None:
        """Add an entry, of now, to what the person can look up: what left the device, what was decided."""
        with self._lock, transaction(self._connection):
            entry = _next_id(self._connection, "journal")
            content = _json({"at": int(time.time()), "what": what, "detail": detail})
            sealed = self._sealer.seal(content, _place("journal", entry))
            self._connection.execute("INSERT INTO journal VALUES (?, ?)", (entry, sealed))

    def journal(self) -> list[JournalEntry]:
        """Every entry, oldest first."""
        with self._lock:
            rows = self._connection.execute("SELECT id, sealed FROM journal ORDER BY id").fetchall()
        return [JournalEntry(**json.loads(self._sealer.open(row, _place("journal", i)))) for i, row in rows]

    # Erasure

    @contextmanager
    def unerased(self) -> Iterator[None]:
        """Nobody erases the store while the block runs: whatever it leaves in the folder, an erasure finds.

        Nothing is written to the store in the block. Raises: Erased where that has happened, in whichever process.
        """
        with self._lock:
            if self.erased:
                raise Erased(f"{self.home}: was erased")
            with transaction(self._connection):
                if self._connection.execute("SELECT 1 FROM key").fetchone() is None:
                    raise Erased(f"{self.home}: was erased")
                yield

    def erase(self) -> None:
        """Destroy the key, and with it every record; then remove the file. The account stays."""
        with self._lock:
            write_account(self.home / ACCOUNT, self._charges())
            with transaction(self._connection):
                _clear(self._connection)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self.erased = True
        for suffix in ("-wal", "-shm", ""):
            (self.home / f"{FILE}{suffix}").unlink(missing_ok=True)

    # Records

    def _charges(self) -> tuple[tuple[float, float, int], ...]:
        kept = self._read_json("account") or {"charges": []}
        return larger(read_account(self.home / ACCOUNT), tuple((z, q, n) for z, q, n in kept["charges"]))

    def _read(self, name: str) -> bytes | None:
        with self._lock:
            row = self._connection.execute("SELECT sealed FROM records WHERE name = ?", (name,)).fetchone()
        return None if row is None else self._sealer.open(row[0], _place("records", name))

    def _read_json(self, name: str) -> dict[str, Any] | None:
        content = self._read(name)
        return None if content is None else dict(json.loads(content))

    def _write(self, records: Mapping[str, bytes]) -> None:
        """All or none."""
        with self._lock, transaction(self._connection):
            for name, content in records.items():
                sealed = self._sealer.seal(content, _place("records", name))
                self._connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?)", (name, sealed))

    def _sealed_event(self, event_id: int, event: Event) -> bytes:
        return self._sealer.seal(_json(asdict(event)), _place("events", event_id))

    def _opened_event(self, event_id: int, sealed: bytes) -> Event:
        written = json.loads(self._sealer.open(sealed, _place("events", event_id)))
        return Event(written["item"], Kind(written["kind"]), written["at"], written["value"])

    def _state(self) -> tuple[int, int]:
        """Changes with every change of the file, by whomever."""
        (others,) = self._connection.execute("PRAGMA data_version").fetchone()
        return others, self._connection.total_changes


@dataclass(frozen=True, slots=True)
class PersonalRecord:
    """The `ClientStore` of training, on a device."""

    store: DeviceStore
    initial: F32
    belongs_to: str

    def load(self) -> PersonalState:
        """Raises: BadInput where the account or the store was damaged."""
        adapter = self.store.adapter(belongs_to=self.belongs_to)
        if adapter is None or adapter.shape != self.initial.shape:
            adapter = self.initial.copy()
        return PersonalState(adapter, self.store._charges())

    def save(self, state: PersonalState) -> None:
        """The account first: a crash in between leaves more spent than was released, never less."""
        self.charge(state)
        self.store.keep_adapter(state.adapter, belongs_to=self.belongs_to)

    def charge(self, state: PersonalState) -> None:
        """Keep the account alone."""
        write_account(self.store.home / ACCOUNT, state.charges)
        self.store._write({"account": _json({"charges": larger(self.store._charges(), state.charges)})})


def _next_id(connection: sqlite3.Connection, table: str) -> int:
    """A number that no row had before. To be used in one transaction."""
    last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return 1 + (last[0] if last else 0)


def _clear(connection: sqlite3.Connection) -> None:
    """Empty every table. What was sealed under a key that is gone opens no more."""
    for table in ("key", "events", "records", "journal"):
        connection.execute(f"DELETE FROM {table}")


def _is_erased(path: Path) -> bool:
    """Whether an erasure was stopped after it had destroyed the key."""
    connection = connect(path, new=False)
    try:
        return connection.execute("SELECT 1 FROM key").fetchone() is None
    finally:
        connection.close()


def _place(table: str, name: str | int) -> bytes:
    return f"penchant store: {table}/{name}".encode()


def _json(record: object) -> bytes:
    return json.dumps(record, separators=(",", ":"), sort_keys=True).encode()
