"""Recommend from an exported model with NumPy and ONNX Runtime alone: `pip install penchant[score]`.

    scorer = Scorer.load("score.onnx")
    scorer.recommend(["item 7", "item 12"], k=10)

Everything stays in this process: nothing is fetched, nothing is sent.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from penchant.errors import BadInput
from penchant.types import F32, I32

FORMAT: Final = "penchant.score.v1"
N_EVENTS: Final = "n_events"
"""Input of a model that counts how long a history is, beside its latest events."""
NOTHING: Final[I32] = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the scores of some items are made of; each column adds up to its item's score.

    events: float32[n_events, n_asked], what each event of the history, oldest first, adds.
    everyone: float32[n_asked], how well the item is liked by all.  taste: float32[n_asked], what neither event nor
    crowd explains: the state of someone without events, and the person's own vector.
    """

    events: F32
    everyone: F32
    taste: F32


@dataclass(frozen=True)
class Items:
    """What can be recommended, in the order of the scores. categories: as in the catalogue."""

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def index(self) -> dict[str, int]:
        """Item id to its place."""
        return {item: place for place, item in enumerate(self.ids)}


class Scorer:
    """An exported model.

    items: what it scores.  max_history: how many events it looks at.  origin: what it was made from.
    belongs_to: of which model an adapter has to be.
    """

    def __init__(self, content: bytes, *, source: str = "the model") -> None:
        """content: an ONNX file that `penchant export` or a device wrote. Raises: BadInput for another."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            told = self._session.get_modelmeta().custom_metadata_map
            if told["format"] != FORMAT:
                raise BadInput(f"{source}: format {told['format']}, this version reads {FORMAT}")
        except BadInput:
            raise
        except Exception as error:  # ONNX Runtime raises types of its own, without a common base
            raise BadInput(f"{source}: not an exported model ({error})") from error
        self.max_history = int(told["max_history"])
        self.origin: str = told["origin"]
        self.belongs_to: str = told["belongs_to"]
        items = json.loads(told["items"])
        self.items = Items(
            tuple(items["ids"]), tuple(items["titles"]), tuple(map(tuple, items["categories"]))
        )
        shapes = {one.name: one.shape for one in self._session.get_inputs()}
        self._counts = N_EVENTS in shapes
        self._adapter_shapes = {name: tuple(shapes[name]) for name in ("user", "down", "up")}

    @classmethod
    def load(cls, path: str | Path) -> "Scorer":
        """Raises: BadInput where there is no file, or it is no exported model."""
        try:
            return cls(Path(path).read_bytes(), source=str(path))
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}") from error

    @property
    def adapter_size(self) -> int:
        """Numbers in a personal adapter."""
        return sum(int(np.prod(shape)) for shape in self._adapter_shapes.values())

    def scores(self, history: I32, *, adapter: F32 | None = None) -> F32:
        """float32[n_items], after the last event of the history.

        history: int32[n], catalogue indices in order of time; the latest `max_history` count.
        adapter: float32[adapter_size], or None for the shared head alone.
        """
        return self._run(history, NOTHING, adapter)[0]

    def parts(self, history: I32, asked: I32, *, adapter: F32 | None = None) -> Parts:
        """Why the items in `asked` (int32[n_asked]) have their scores."""
        return Parts(*self._run(history, asked, adapter)[1:])

    def recommend(
        self, history: Sequence[str], *, k: int = 10, adapter: F32 | None = None
    ) -> list[tuple[str, float]]:
        """The k best items that are not in the history, with their scores. Items that are not known are passed over."""
        seen = np.array([self.items.index[item] for item in history if item in self.items.index], np.int32)
        scores = self.scores(seen, adapter=adapter).copy()
        scores[seen] = -np.inf
        best = [int(i) for i in np.argsort(-scores, kind="stable")[:k] if np.isfinite(scores[i])]
        return [(self.items.ids[i], float(scores[i])) for i in best]

    def _run(self, history: I32, asked: I32, adapter: F32 | None) -> list[F32]:
        latest = np.asarray(history)[-self.max_history :].astype(np.int64)
        given = {"history": latest, "asked": np.asarray(asked, np.int64), **self._split(adapter)}
        if self._counts:
            given[N_EVENTS] = np.array(len(history))
        outcome: list[F32] = self._session.run(None, given)
        return outcome

    def _split(self, adapter: F32 | None) -> dict[str, F32]:
        flat = np.zeros(self.adapter_size, np.float32) if adapter is None else adapter
        if flat.shape != (self.adapter_size,):
            raise BadInput(f"an adapter of shape {flat.shape}, expected ({self.adapter_size},)")
        ends = np.cumsum([int(np.prod(shape)) for shape in self._adapter_shapes.values()])[:-1]
        parts = np.split(flat, ends)
        return {
            name: part.reshape(shape)
            for (name, shape), part in zip(self._adapter_shapes.items(), parts, strict=True)
        }
