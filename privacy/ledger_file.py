"""The file that holds a ledger: SQLite, append-only, durable after each entry, one writer."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from penchant.errors import BadInput, CheckFailed, EnvironmentMissing
from penchant.privacy.chain import GENESIS, Entry, linked

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY, previous TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL, signature TEXT
) STRICT;
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
_COLUMNS: Final = "number, previous, body, hash, signature"


class LedgerFile:
    """The one writer of a ledger's file. Holds a lock that the kernel drops when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Open or create. `entries` is what was there, chain checked.

        Raises: BadInput when another process writes it; CheckFailed naming the first wrong entry;
        EnvironmentMissing where the disk is full or read-only.
        """
        self.path = path
        self._lock = _locked(path)
        try:
            with _explained(path):
                self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute("PRAGMA synchronous=FULL")
                self._database.executescript(_SCHEMA)
                self.entries = _entries(self._database)
        except BaseException:
            os.close(self._lock)
            raise

    def append(self, entry: Entry) -> None:
        """Durable when this returns. Raises: CheckFailed where somebody else wrote; EnvironmentMissing."""
        with _explained(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._insert(entry)
                self._database.execute("COMMIT")
            except BaseException:
                self._database.rollback()
                raise

    def _insert(self, entry: Entry) -> None:
        last = self._database.execute("SELECT hash FROM entries ORDER BY number DESC LIMIT 1").fetchone()
        if (last[0] if last else GENESIS) != entry.previous:
            raise CheckFailed(f"{self.path}: somebody else wrote to this ledger; run `penchant audit verify`")
        row = (entry.number, entry.previous, entry.body, entry.hash, entry.signature)
        self._database.execute(f"INSERT INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", row)

    def close(self) -> None:
        """Fold the write-ahead log into the file and let the next writer in."""
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._database.close()
        os.close(self._lock)


def read_ledger(path: Path) -> list[Entry]:
    """Every entry of a ledger, chain checked, without the writer's lock and without changing the file.

    Raises: BadInput where there is none; CheckFailed naming the first wrong entry.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no ledger here")
    with _explained(path), closing(sqlite3.connect(_read_only(path), uri=True)) as database:
        return _entries(database)


def _read_only(path: Path) -> str:
    """Without a write-ahead log nobody writes, and SQLite can be kept from leaving files beside the ledger."""
    at_rest = not path.with_name(f"{path.name}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if at_rest else ''}"


def _entries(database: sqlite3.Connection) -> list[Entry]:
    rows = database.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY number")
    return list(linked(Entry(*row) for row in rows))


def _locked(path: Path) -> int:
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
