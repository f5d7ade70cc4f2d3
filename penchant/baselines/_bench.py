"""Fit and evaluate baselines on one data set, once each: figures are kept on disk, so that a stopped search goes on."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import penchant
from penchant.baselines._protocol import Baseline, settings
from penchant.baselines._references import evaluate
from penchant.behaviours import Split
from penchant.evaluation import Examination, Part
from penchant.rundir import read_json, write_json
from penchant.types import F32

Record = dict[str, Any]

_SOURCES: Final = ("baselines/*.py", "evaluation.py", "cold.py", "ranking.py", "behaviours.py")


@dataclass(frozen=True)
class Tuned:
    """chosen: the best of those tried.  validation: its NDCG@10 on validation items.  tried: how many there were."""

    chosen: Baseline
    validation: float
    tried: int


@dataclass(frozen=True, eq=False)
class Bench:
    """One split, one set of item vectors, and a folder that remembers figures under data, code and settings.

    data: identity of split and vectors.  folder: None remembers nothing.
    """

    split: Split
    vectors: F32
    data: str
    folder: Path | None = None

    def record(self, baseline: Baseline, part: Part = Part.TEST) -> Record:
        """Full and sampled figures of a baseline fitted on the training events."""
        kept = None if self.folder is None else self.folder / f"{self._key(baseline, part)}.json"
        if kept is not None and kept.is_file():
            return read_json(kept)
        examination = Examination(self.split, len(self.vectors), part)
        record: Record = evaluate(baseline, examination, self.vectors).record()
        if kept is not None:
            write_json(kept, record)
        return record

    def tune(self, grid: Sequence[Baseline], *, tried: Callable[[], None] = lambda: None) -> Tuned:
        """The settings with the highest validation NDCG@10, the earlier of equals. tried: told of each."""
        figures = []
        for candidate in grid:
            figures.append(self.record(candidate, Part.VALIDATION)["full"].get("ndcg@10", 0.0))
            tried()
        best = max(range(len(grid)), key=figures.__getitem__)
        return Tuned(grid[best], figures[best], len(grid))

    def _key(self, baseline: Baseline, part: Part) -> str:
        terms = [code_digest(), self.data, part, settings(baseline)]
        return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()[:32]


def code_digest() -> str:
    """Changes with every line of the baselines and their evaluation: figures of other code are not remembered."""
    root = Path(penchant.__file__).parent
    sources = sorted(path for pattern in _SOURCES for path in root.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
