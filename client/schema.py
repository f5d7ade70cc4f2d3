"""The store's file: its tables by version, and the way from each version to the next."""

import sqlite3
from pathlib import Path
from typing import Final

from penchant.errors import BadInput, EnvironmentMissing

_APPLICATION: Final = 0x50656E63
"""SQLite's mark of whose file it is: "Penc"."""

MIGRATIONS: Final = (
    """
    CREATE TABLE key (
        id INTEGER PRIMARY KEY CHECK (id = 1), method TEXT NOT NULL, salt BLOB NOT NULL, sealed BLOB NOT NULL
    );
    CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, sealed BLOB NOT NULL);
    CREATE TABLE records (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE journal (id INTEGER PRIMARY KEY AUTOINCREMENT, sealed BLOB NOT NULL);
    """,
)
"""`MIGRATIONS[n]` leads from version n to n + 1. What was released is never edited."""

VERSION: Final = len(MIGRATIONS)


def connect(path: Path, *, new: bool) -> sqlite3.Connection:
    """Open the file and bring it to this version.

    Durable: a committed transaction outlives SIGKILL and power loss. What is deleted is overwritten.
    Raises: BadInput where it is missing, no store, or of a newer version; EnvironmentMissing where the disk refuses.
    """
    if not new and not path.is_file():
        raise BadInput(f"{path}: no store here; make one with `penchant client init {path.parent}`")
    try:
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            _set_up(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        raise EnvironmentMissing(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise BadInput(f"{path}: not a store, or damaged ({error}); restore it or erase it") from error
    return connection


def _set_up(connection: sqlite3.Connection, path: Path) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    with transaction(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if version > VERSION:
            raise BadInput(
                f"{path}: written by a newer version of Penchant ({version}, here {VERSION}); upgrade"
            )
        if application != _APPLICATION and connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
            raise BadInput(f"{path}: a database of another program")
        for script in MIGRATIONS[version:]:
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
        if version < VERSION:
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


class transaction:  # noqa: N801 - reads as a statement
    """All of it or nothing, other processes waiting: `with transaction(connection): …`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        """Raises: EnvironmentMissing where the disk is full or read-only; nothing of it was kept."""
        try:
            if kind is None:
                self._connection.execute("COMMIT")
                return
        except sqlite3.OperationalError as failure:
            error = failure
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise EnvironmentMissing(f"the store could not be written: {error}") from error
