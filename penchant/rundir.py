"""The run directory: what every command that works writes, and every command that reports reads."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from penchant.errors import BadInput

_METRICS: Final = "metrics.jsonl"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a crash or a full disk leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class RunDirectory:
    """Paths and plain records of one run. Opens nothing until asked."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def existing(cls, root: Path) -> "RunDirectory":
        """A directory that holds a run. Raises: BadInput when it does not."""
        run = cls(root)
        if not run.settings_path.is_file():
            raise BadInput(
                f"{root}: no run here (run.json is missing); make one with `penchant simulate --out {root}`"
            )
        return run

    @property
    def settings_path(self) -> Path:
        return self.root / "run.json"

    @property
    def metrics_path(self) -> Path:
        return self.root / _METRICS

    @property
    def ledger_path(self) -> Path:
        return self.root / "ledger.sqlite"

    @property
    def shared_path(self) -> Path:
        """The shared head, safetensors, every key under `shared.`."""
        return self.root / "shared.safetensors"

    @property
    def basis_path(self) -> Path:
        """The basis of the item vectors that the head was trained on: it travels with the head."""
        return self.root / "basis.safetensors"

    @property
    def items_path(self) -> Path:
        """Who each item of the catalogue is, hashed: what a run that starts from this one matches its items with."""
        return self.root / "items.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def counts(self) -> Path:
        """Counts of items and of pairs as they were released, where the run counts any."""
        return self.root / "counts"

    @property
    def company_path(self) -> Path:
        """What keeps company with what, computed from the counts, safetensors: as a device holds it."""
        return self.root / "company.safetensors"

    @property
    def personal(self) -> Path:
        """Adapters: in a simulation only; on a device they live in its own store."""
        return self.root / "personal"

    @property
    def evaluation_path(self) -> Path:
        """Accuracy of the model and the baselines (JSON)."""
        return self.root / "evaluation.json"

    @property
    def people_path(self) -> Path:
        """One row a person: ranks and groups (parquet). In a simulation only; never released in a deployment."""
        return self.root / "people.parquet"

    @property
    def attack_path(self) -> Path:
        """What an audit by attack found (JSON), where one was saved here."""
        return self.root / "attack.json"

    @property
    def released_path(self) -> Path:
        """Accuracy by group as it was released (JSON): noised and charged, where the run paid for it."""
        return self.root / "released.json"

    @property
    def report_json_path(self) -> Path:
        return self.root / "report.json"

    @property
    def report_html_path(self) -> Path:
        return self.root / "report.html"

    def write_settings(self, record: Mapping[str, Any]) -> None:
        write_json(self.settings_path, record)

    def read_settings(self) -> dict[str, Any]:
        return read_json(self.settings_path)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add one round's line, durable when this returns."""
        with self.metrics_path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, sort_keys=True) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def read_metrics(self) -> list[dict[str, Any]]:
        """Rounds in order; of a round that was written twice the last line counts, and a torn line is dropped."""
        return [row for _, row in sorted({row["round"]: row for row in self._lines()}.items())]

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.metrics_path.is_file():
            return
        for line in self.metrics_path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write JSON whole or not at all, keys sorted, NaN refused."""
    text = json.dumps(record, indent=2, sort_keys=True, allow_nan=False)
    write_atomically(path, text.encode() + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises: BadInput naming file, line and column."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file") from error
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{path}:{error.lineno}:{error.colno}: not JSON ({error.msg}); restore or rerun"
        ) from error
    if not isinstance(record, dict):
        raise BadInput(f"{path}:1:1: expected a JSON object")
    return record
