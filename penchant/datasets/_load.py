"""Load a data set by name or path."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from penchant.behaviours import Behaviours
from penchant.catalogue import Catalogue
from penchant.datasets._assemble import behaviours, catalogue, catalogue_of_ids, user_ids
from penchant.datasets._cache import dataset_folder
from penchant.datasets._checks import Inspection, inspect
from penchant.datasets._folder import read_tables
from penchant.datasets._known import KNOWN, KnownDataset
from penchant.datasets._people import people
from penchant.errors import BadInput, EnvironmentMissing

_SHOWN: Final = 3


@dataclass(frozen=True, eq=False)
class Dataset:
    """A catalogue and what people did with it.

    people: columns gender, age_band and occupation in the order of `behaviours.user_ids`, as far as they are known.
    source: where it came from, for the record.
    """

    name: str
    catalogue: Catalogue
    behaviours: Behaviours
    people: Mapping[str, tuple[str, ...]]
    source: str

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over catalogue, behaviours and people."""
        content = [self.catalogue.digest, self.behaviours.digest, dict(self.people)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load(name_or_path: str, *, cache: Path | None = None) -> Dataset:
    """Load a known data set from the cache, or your own from a folder or file.

    Rules: rows equal in person, item, time and kind count once, the first is kept; an item at different times is so
    many events; a person with one event stays, for training only; any other bad row stops the loading.
    Raises: BadInput for bad rows or unusable files; EnvironmentMissing when a known data set was not fetched yet.
    """
    known = KNOWN.get(name_or_path)
    if known is not None:
        return _load_known(known, cache)
    path = Path(name_or_path)
    if not path.exists():
        raise BadInput(f"{name_or_path}: no such file or folder, nor a known data set ({', '.join(KNOWN)})")
    return _dataset(path.stem, inspect(read_tables(path)), source=str(path))


def _load_known(known: KnownDataset, cache: Path | None) -> Dataset:
    folder = dataset_folder(known.name, cache)
    if not folder.is_dir():
        raise EnvironmentMissing(
            f"{known.name} is not on this machine yet; run `penchant data get {known.name}`"
        )
    return _dataset(known.name, inspect(known.amend(read_tables(folder))), source=known.source)


def _dataset(name: str, inspection: Inspection, *, source: str) -> Dataset:
    _refuse_bad_rows(inspection)
    events = inspection.interactions.kept
    items = catalogue_of_ids(events) if inspection.items is None else catalogue(inspection.items.kept)
    users = user_ids(events)
    groups = {} if inspection.users is None else people(users, inspection.users.kept)
    return Dataset(name, items, behaviours(events, users, items), groups, source)


def _refuse_bad_rows(inspection: Inspection) -> None:
    refused = [row for row in inspection.bad if not row.dropped]
    if refused:
        more = f"\n… and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        folder = inspection.interactions.table.path
        raise BadInput(
            "\n".join(map(str, refused[:_SHOWN]))
            + more
            + f"\n`penchant data validate {folder}` lists every bad row"
        )
