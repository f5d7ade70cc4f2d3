"""What every peer is given: item vectors, histories, the start, and what chance decided for each round. NumPy alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Work:
    """A federation to train, one gradient step a client and round, everyone in every round.

    vectors: float32[n_items, dimension].  histories: int32[n_events] each, catalogue indices in order of time.
    head: float32[n_shared], where all start.  settings: `model`, `training`, `privacy` and `seed`, as in a recipe.
    negatives: int64[rounds, c], each round's wrong answers.
    """

    vectors: np.ndarray
    histories: list[np.ndarray]
    head: np.ndarray
    settings: dict[str, Any]
    negatives: np.ndarray

    @property
    def learning_rate(self) -> float:
        return float(self.settings["training"]["local_learning_rate"])

    def latest(self) -> list[np.ndarray]:
        """What training looks at: int64[at most max_history] a person."""
        longest = self.settings["training"]["max_history"]
        return [history[-longest:].astype(np.int64) for history in self.histories]

    def padded(self) -> tuple[np.ndarray, np.ndarray]:
        """int64[n, longest] events and int64[n] lengths."""
        latest = self.latest()
        lengths = np.array([len(history) for history in latest])
        events = np.zeros((len(latest), lengths.max()), np.int64)
        for row, history in zip(events, latest, strict=True):
            row[: len(history)] = history
        return events, lengths

    def save(self, path: Path) -> None:
        offsets = np.cumsum([0, *map(len, self.histories)])
        np.savez(
            path,
            vectors=self.vectors,
            events=np.concatenate(self.histories),
            offsets=offsets,
            head=self.head,
            settings=np.array(json.dumps(self.settings)),
            negatives=self.negatives,
        )

    @classmethod
    def load(cls, path: Path) -> "Work":
        stored = np.load(path, allow_pickle=False)
        histories = np.split(stored["events"], stored["offsets"][1:-1])
        return cls(
            stored["vectors"],
            histories,
            stored["head"],
            json.loads(str(stored["settings"])),
            stored["negatives"],
        )
