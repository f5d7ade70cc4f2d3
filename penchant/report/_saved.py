"""Everything that a report reads: one finished run, from its directory alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from penchant.errors import BadInput
from penchant.privacy.chain import Entry
from penchant.privacy.charges import Charges
from penchant.privacy.ledger import read_ledger
from penchant.report._controller import Controller
from penchant.rundir import RunDirectory, read_json
from penchant.types import Unit


@dataclass(frozen=True)
class SavedRun:
    """One run as it lies on disk.

    record: run.json.  evaluation: evaluation.json.  rounds: a row each.  people: a row a person.
    charges, entries: what the ledger holds; None and empty where the run protects nothing.
    controller: what a person said for the statement.  attack: what an audit found, where one was saved.
    released: accuracy by group as it was released, noised and charged, where the run paid for it.
    """

    root: Path
    record: dict[str, Any]
    evaluation: dict[str, Any]
    rounds: list[dict[str, Any]]
    people: pl.DataFrame
    charges: Charges | None
    entries: list[Entry]
    controller: Controller
    attack: dict[str, Any] | None
    released: dict[str, Any] | None

    @classmethod
    def read(cls, run: RunDirectory, *, controller: Controller | None = None) -> "SavedRun":
        """Raises: BadInput where a file is missing or the run is not finished; CheckFailed for a broken ledger."""
        record = run.read_settings()
        if not run.evaluation_path.is_file() or not run.people_path.is_file():
            raise BadInput(
                f"{run.root}: the run is not finished; go on with `penchant simulate --out {run.root} --resume`"
            )
        protected = record["privacy"]["unit"] != Unit.NONE
        entries = read_ledger(run.ledger_path) if protected else []
        return cls(
            root=run.root,
            record=record,
            evaluation=read_json(run.evaluation_path),
            rounds=run.read_metrics(),
            people=_people(run.people_path),
            charges=Charges(entries) if protected else None,
            entries=entries,
            controller=controller or Controller(),
            attack=read_json(run.attack_path) if run.attack_path.is_file() else None,
            released=read_json(run.released_path) if run.released_path.is_file() else None,
        )

    @property
    def name(self) -> str:
        return self.root.resolve().name

    @property
    def unit(self) -> Unit:
        return Unit(self.record["privacy"]["unit"])


def _people(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(f"{path}: not a readable parquet file ({error}); evaluate the run again") from error
