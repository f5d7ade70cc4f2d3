"""Release a run's accuracy by group, once: charged before it exists, noised, and never drawn twice."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import polars as pl

from penchant import ranking
from penchant.errors import BudgetExceeded
from penchant.privacy.charges import Charge, State
from penchant.privacy.events import GaussianSum
from penchant.privacy.ledger import Budget, Ledger
from penchant.privacy.noise import NoiseSource
from penchant.privacy.statistics import SMALLEST, release_groups
from penchant.rundir import RunDirectory, write_atomically
from penchant.types import F64, I64, NoiseAt

PURPOSE: Final = "metrics"
_ATTRIBUTES: Final[tuple[str, ...]] = ("gender", "age_band", "occupation")
"""Not activity: its quarters are drawn through everybody's counts, so that one person would move others' groups."""


def release_metrics(
    run: RunDirectory,
    ledger: Ledger,
    people: pl.DataFrame,
    *,
    event: GaussianSum,
    budget: Budget,
    reproducible: bool,
    round_: int,
    noise: Callable[[], NoiseSource],
) -> None:
    """Write `released.json`, unless it was written before. people: one row a person, as in `people.parquet`.

    round_: under which it is charged, after all rounds of training.
    Where the budget does not reach that far, nothing is released.
    """
    if _settled(run, ledger):
        return
    try:
        charge = ledger.resume(
            round_,
            event,
            budget=budget,
            reproducible=reproducible,
            noise_at=NoiseAt.SERVER,
            purpose=PURPOSE,
        )
    except BudgetExceeded:
        return
    content = json.dumps(_record(people, event, noise()), indent=2, sort_keys=True).encode() + b"\n"
    write_atomically(run.released_path, content)
    ledger.persisted(charge.id, hashlib.sha256(content).hexdigest())
    _publish(ledger, ledger.charges.get(charge.id))


def _settled(run: RunDirectory, ledger: Ledger) -> bool:
    """Whether an earlier attempt got so far that nothing may be drawn again; what it had still to do is done now."""
    charges = [c for c in ledger.charges.all() if c.purpose == PURPOSE and c.state is not State.ABORTED]
    if not charges:
        return False
    if charges[-1].state is State.PERSISTED and charges[-1].result == _digest(run):
        _publish(ledger, charges[-1])
        return True
    return charges[-1].went_out


def _digest(run: RunDirectory) -> str | None:
    path = run.released_path
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _publish(ledger: Ledger, charge: Charge) -> None:
    ledger.released(charge.id)
    ledger.published(charge.id)


def _record(people: pl.DataFrame, event: GaussianSum, noise: NoiseSource) -> dict[str, Any]:
    attributes = [name for name in _ATTRIBUTES if name in people.columns]
    labels = {name: people[name].to_list() for name in attributes}
    vocabulary = {name: sorted(set(labels[name])) for name in attributes}  # in a simulation they are known
    groups = release_groups(_values(people), labels, vocabulary, event=event, noise=noise)
    return {
        "noise_multiplier": event.noise_multiplier,
        "unit": event.unit.value,
        "smallest_group": SMALLEST,
        "groups": [asdict(group) for group in groups],
    }


def _values(people: pl.DataFrame) -> dict[str, F64]:
    """What a device measures about itself, each from 0 to 1."""
    ranks: I64 = np.asarray(people["rank"].to_numpy(), np.int64)
    return {"hr@10": ranking.hr(ranks, 10), "ndcg@10": ranking.ndcg(ranks, 10), "mrr": ranking.mrr(ranks)}
