"""Load a data set by name or path."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from penchant.behaviours import Behaviours
from penchant.catalogue import Catalogue
from penchant.datasets._assemble import behaviours, catalogue, catalogue_of_ids, user_ids
from penchant.datasets._cache import dataset_folder
from penchant.datasets._checks import Inspection, inspect, inspect_items, refuse
from penchant.datasets._core import k_core
from penchant.datasets._folder import Tables, read_items, read_tables
from penchant.datasets._known import KNOWN
from penchant.datasets._people import people
from penchant.errors import BadInput, EnvironmentMissing


@dataclass(frozen=True, eq=False)
class Dataset:
    """A catalogue and what people did with it.

    people: columns gender, age_band and occupation in the order of `behaviours.user_ids`, as far as they are known.
    source: where it came from, for the record.  timed: False where the events had no times; then each person's stand in
    the order of `behaviours.tie_keys`, which is as good as random, and the same on every machine.
    """

    name: str
    catalogue: Catalogue
    behaviours: Behaviours
    people: Mapping[str, tuple[str, ...]]
    source: str
    timed: bool = True

    @property
    def order(self) -> str:
        """What each person's events are ordered by, in words."""
        return "time" if self.timed else "a seeded random order, as the data has no times"

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over catalogue, behaviours and people."""
        content = [self.catalogue.digest, self.behaviours.digest, dict(self.people)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load(
    name_or_path: str, *, cache: Path | None = None, min_user_events: int = 0, min_item_events: int = 0
) -> Dataset:
    """Load a known data set from the cache, or your own from a folder or file.

    min_user_events, min_item_events: keep only that core of the events, and of the catalogue what occurs in it, where
    items need so many. 0 keeps all.
    Rules: rows equal in person, item, time and kind count once, the first is kept; an item at different times is so
    many events; a person with one event stays, for training only; any other bad row stops the loading.
    Raises: BadInput for bad rows or unusable files; EnvironmentMissing when a known data set was not fetched yet.
    """
    tables, name, source = _read(name_or_path, cache)
    inspection = inspect(tables)
    _refuse_bad_rows(inspection)
    kept = inspection.interactions.kept
    events = k_core(kept, min_user_events=min_user_events, min_item_events=min_item_events)
    items = catalogue_of_ids(kept) if inspection.items is None else catalogue(inspection.items.kept)
    if min_item_events > 0:
        occurring = set(events["item_id"])
        items = items.of_items(np.array([item in occurring for item in items.item_ids], np.bool_))
    users = user_ids(events)
    groups = {} if inspection.users is None else people(users, inspection.users.kept)
    timed = "timestamp" in inspection.interactions.table.written
    return Dataset(name, items, behaviours(events, users, items), groups, source, timed)


def load_catalogue(name_or_path: str, *, cache: Path | None = None) -> Catalogue:
    """The items alone: of a known data set, or of your own file or folder of items.

    Raises: BadInput for bad rows or unusable files; EnvironmentMissing when a known data set was not fetched yet.
    """
    if name_or_path in KNOWN:
        return load(name_or_path, cache=cache).catalogue
    items = inspect_items(read_items(Path(name_or_path)))
    refuse(items.bad, items.table.path)
    return catalogue(items.kept)


def _read(name_or_path: str, cache: Path | None) -> tuple[Tables, str, str]:
    """The tables, the name and the source."""
    known = KNOWN.get(name_or_path)
    if known is None:
        path = Path(name_or_path)
        if not path.exists():
            raise BadInput(
                f"{name_or_path}: no such file or folder, nor a known data set ({', '.join(KNOWN)})"
            )
        return read_tables(path), path.stem, str(path)
    folder = dataset_folder(known.name, cache)
    if not folder.is_dir():
        raise EnvironmentMissing(
            f"{known.name} is not on this machine yet; run `penchant data get {known.name}`"
        )
    return known.amend(read_tables(folder)), known.name, known.source


def _refuse_bad_rows(inspection: Inspection) -> None:
    refused = tuple(row for row in inspection.bad if not row.dropped)
    refuse(refused, inspection.interactions.table.path)
