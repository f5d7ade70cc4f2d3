"""Everything that a report reads: one finished run, from its directory alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from penchant.errors import BadInput
from penchant.privacy.charges import Charges
from penchant.privacy.ledger import read_ledger
from penchant.rundir import RunDirectory, read_json
from penchant.types import Unit


@dataclass(frozen=True)
class SavedRun:
    """One run as it lies on disk.

    record: run.json.  evaluation: evaluation.json.  rounds: a row each.  people: a row a person.
    charges: what the ledger holds; None where the run protects nothing.
    """

    root: Path
    record: dict[str, Any]
    evaluation: dict[str, Any]
    rounds: list[dict[str, Any]]
    people: pl.DataFrame
    charges: Charges | None

    @classmethod
    def read(cls, run: RunDirectory) -> "SavedRun":
        """Raises: BadInput where a file is missing or the run is not finished; CheckFailed for a broken ledger."""
        record = run.read_settings()
        if not run.evaluation_path.is_file() or not run.people_path.is_file():
            raise BadInput(
                f"{run.root}: the run is not finished; go on with `penchant simulate --out {run.root} --resume`"
            )
        charges = None
        if record["privacy"]["unit"] != Unit.NONE:
            charges = Charges(read_ledger(run.ledger_path))
        evaluation = read_json(run.evaluation_path)
        return cls(run.root, record, evaluation, run.read_metrics(), _people(run.people_path), charges)

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
