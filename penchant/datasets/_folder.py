"""Find the files of a data set by their names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penchant.datasets._columns import INTERACTIONS, ITEMS, USERS, Schema
from penchant.datasets._layouts import read_layout
from penchant.datasets._tables import SUFFIXES, Table, read_table
from penchant.errors import BadInput

_ATOMIC: Final = {"interactions": ".inter", "items": ".item", "users": ".user"}


@dataclass(frozen=True, eq=False)
class Tables:
    """The files of one data set as they stand on disk. Without items, a title is the item's id."""

    interactions: Table
    items: Table | None = None
    users: Table | None = None


def read_tables(path: Path) -> Tables:
    """Read a folder with interactions and, if there, items and users; or a single file of interactions.

    A folder holds `interactions.csv`, `items.csv`, `users.csv` (or .tsv, .parquet), or RecBole's `*.inter`, `*.item`,
    `*.user`. A single `.inter` is read alone too. Some data sets are read as they are published (see `read_layout`).
    Raises: BadInput when nothing there can be read, or two files claim one role.
    """
    if path.is_file():
        _readable(path)
        return Tables(read_table(path, INTERACTIONS))
    if not path.is_dir():
        raise BadInput(f"{path}: no such file or folder")
    interactions, items, users = (_find(path, schema) for schema in (INTERACTIONS, ITEMS, USERS))
    if interactions is None and (layout := read_layout(path)):
        return Tables(*layout)
    if interactions is None:
        raise BadInput(
            f"{path}: no interactions here; name the file interactions.csv (.tsv, .parquet) or NAME.inter"
        )
    return Tables(
        read_table(interactions, INTERACTIONS),
        None if items is None else read_table(items, ITEMS),
        None if users is None else read_table(users, USERS),
    )


def read_items(path: Path) -> Table:
    """A file of items, or the one in a folder, whatever else is there.

    Raises: BadInput when nothing there can be read.
    """
    file = path if path.is_file() else _find(path, ITEMS) if path.is_dir() else None
    if file is None:
        raise BadInput(f"{path}: no items here; name the file items.csv (.tsv, .parquet) or NAME.item")
    _readable(file)
    return read_table(file, ITEMS)


def _find(folder: Path, schema: Schema) -> Path | None:
    atomic = _ATOMIC[schema.role]
    found = sorted(
        file
        for file in folder.iterdir()
        if file.suffix == atomic or (file.stem == schema.role and file.suffix in SUFFIXES)
    )
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise BadInput(f"{folder}: {names} all hold {schema.role}; leave one of them")
    return found[0] if found else None


def _readable(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise BadInput(f"{path}: this kind of file is not read; give one of {', '.join(SUFFIXES)}")
