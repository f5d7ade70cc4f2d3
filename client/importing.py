"""Take over one person's events from a file."""

from pathlib import Path

from penchant.client.device_store import DeviceStore
from penchant.errors import BadInput, EnvironmentMissing
from penchant.types import KINDS, Event


def import_events(store: DeviceStore, path: Path, *, user: str | None = None) -> tuple[int, int]:
    """Record what one person did, from csv, tsv, parquet or RecBole files, in the order that a simulation would see.

    user: whose events; may be left out where the file has one person.
    Returns how many were new and how many the store had already. Raises: BadInput for bad rows, or an unknown person.
    """
    try:
        from penchant.datasets import load
    except ModuleNotFoundError as error:
        raise EnvironmentMissing("reading files of events needs polars: pip install polars") from error
    data = load(str(path))
    people = data.behaviours.user_ids
    if user is None and len(people) > 1:
        raise BadInput(
            f"{path}: {len(people)} people are in it; say whose events with --user, for instance {people[0]}"
        )
    if user is not None and user not in people:
        raise BadInput(f"{path}: no person {user!r} in it; ids look like {', '.join(people[:3])}")
    own = data.behaviours.of(0 if user is None else people.index(user))
    ids = data.catalogue.item_ids
    found = [
        Event(ids[item], KINDS[kind], at, None if value != value else value)  # NaN stands for none
        for item, at, value, kind in zip(
            own.items.tolist(), own.at.tolist(), own.values.tolist(), own.kinds.tolist(), strict=True
        )
    ]
    had = {one.event for one in store.events()}
    new = [event for event in found if event not in had]
    store.add(new)
    return len(new), len(found) - len(new)
