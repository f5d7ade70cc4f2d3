"""Fit and evaluate baselines on one data set, once each: figures are kept on disk, so that a stopped search goes on."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import penchant
from penchant.baselines._neighbours import ContentKnn
from penchant.baselines._protocol import Baseline, Scorer
from penchant.baselines._sasrec import SasRec
from penchant.baselines._settings import settings
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

    data: identity of the split.  described: that of the vectors; what does not read them is remembered without.
    folder: None remembers nothing.
    """

    split: Split
    vectors: F32
    data: str
    folder: Path | None = None
    described: str = ""
    _fits: dict[Baseline, Scorer] = field(default_factory=dict)

    def record(self, baseline: Baseline, part: Part = Part.TEST) -> Record:
        """Full and sampled figures of a baseline fitted on the training events."""
        kept = None if self.folder is None else self.folder / f"{self._key(baseline, part)}.json"
        if kept is not None and kept.is_file():
            return read_json(kept)
        train, scorer = self.split.train, self._fitted(baseline)
        examination = Examination(self.split, len(self.vectors), part)
        record: Record = examination.evaluate(lambda users: scorer.scores(train, users)).record()
        if part is Part.TEST:  # nothing else is asked of a fit after it
            self._forget_all_but(None)
        if kept is not None:
            write_json(kept, record)
        return record

    def tune(self, grid: Sequence[Baseline], *, tried: Callable[[], None] = lambda: None) -> Tuned:
        """The settings with the highest validation NDCG@10, the earlier of equals. tried: told of each."""
        best, highest = grid[0], -1.0
        for candidate in grid:
            figure = self.record(candidate, Part.VALIDATION)["full"].get("ndcg@10", 0.0)
            if figure > highest:
                best, highest = candidate, figure
            self._forget_all_but(best)
            tried()
        return Tuned(best, highest, len(grid))

    def _fitted(self, baseline: Baseline) -> Scorer:
        if baseline not in self._fits:
            self._fits[baseline] = baseline.fit(self.split.train, self.vectors)
        return self._fits[baseline]

    def _forget_all_but(self, best: Baseline | None) -> None:
        """Fits can be large: that of the best settings so far alone waits for its test."""
        for other in self._fits.keys() - {best}:
            del self._fits[other]

    def _key(self, baseline: Baseline, part: Part) -> str:
        read = self.described if reads_vectors(baseline) else None
        terms = [code_digest(), self.data, read, part, settings(baseline)]
        return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()[:32]


def reads_vectors(baseline: Baseline) -> bool:
    """Whether it has to be told what items are; one that is made of others, whether one of these has to."""
    values = [getattr(baseline, one.name) for one in fields(baseline)]
    parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return (
        isinstance(baseline, ContentKnn)
        or (isinstance(baseline, SasRec) and baseline.text)
        or any(reads_vectors(part) for part in parts if hasattr(part, "__dataclass_fields__"))
    )


def code_digest() -> str:
    """Changes with every line of the baselines and their evaluation: figures of other code are not remembered."""
    root = Path(penchant.__file__).parent
    sources = sorted(path for pattern in _SOURCES for path in root.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
