"""A person's interests as tags with weights, how they change, and the events behind each.

Every tag says how near it is to each item (its affinity): a category, 1 or 0; a phrase, likeness in the language
model's space. A tag's weight is the mean affinity of the person's events, fading with age, drawn towards what is usual
where there are few events. It is made of the person's own history and of the catalogue: nothing of it has to leave.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np

from penchant.types import F32, F64, I32, I64


class TagKind(StrEnum):
    """Where a tag comes from."""

    CATEGORY = "category"
    PHRASE = "phrase"


@dataclass(frozen=True, eq=False)
class Tags:
    """names: of n tags.  affinity: float32[n_items, n].  usual: float32[n], what is expected of anybody."""

    kind: TagKind
    names: tuple[str, ...]
    affinity: F32
    usual: F32

    @classmethod
    def of_categories(cls, categories: Sequence[Sequence[str]], liked: F32 | None = None) -> "Tags":
        """One tag a category. liked: float32[n_items], how often each item is chosen; None: each alike."""
        names = tuple(sorted({category for own in categories for category in own}))
        place = {name: at for at, name in enumerate(names)}
        affinity = np.zeros((len(categories), len(names)), np.float32)
        for row, own in zip(affinity, categories, strict=True):
            row[[place[category] for category in own]] = 1
        share = (
            np.full(len(categories), 1 / max(1, len(categories))) if liked is None else liked / liked.sum()
        )
        return cls(TagKind.CATEGORY, names, affinity, (share @ affinity).astype(np.float32))

    @classmethod
    def of_phrases(cls, phrases: Sequence[str], vectors: F32, items: F32) -> "Tags":
        """One tag a phrase: cosine with an item, in standard deviations above the catalogue's mean.

        vectors: float32[n_phrases, width].  items: float32[n_items, width], in the same basis.  What all phrases have
        in common, that they are short, is taken away first: else whatever has a short text would be near to each.
        """
        likeness = _directions(items) @ _directions(vectors - vectors.mean(axis=0)).T
        spread = np.maximum(likeness.std(axis=0), np.finfo(np.float32).eps)
        affinity = np.asarray((likeness - likeness.mean(axis=0)) / spread, np.float32)
        return cls(TagKind.PHRASE, tuple(phrases), affinity, np.zeros(len(phrases), np.float32))


@dataclass(frozen=True, slots=True)
class Interest:
    """weight: mean affinity of the events.  usual: what is expected of anybody.

    strength: how far the weight stands above that, in standard deviations of an item's affinity.
    trend: weights within each window of the history, oldest first.  events: places in the history that add most to it.
    """

    name: str
    kind: TagKind
    weight: float
    usual: float
    strength: float
    trend: tuple[float, ...]
    events: tuple[int, ...]

    def to_record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class ProfileMaker:
    """half_life: events after which one counts half; None: never.  trust: events that what is usual counts for."""

    half_life: float | None = 20.0
    trust: float = 5.0
    windows: int = 4
    behind: int = 3

    def weights(self, tags: Tags, history: I32) -> F64:
        """float64[n_tags]. history: int32[n_events], in order of time; may be empty."""
        fade = self._fading(len(history))
        seen = fade @ tags.affinity[history]
        return np.asarray((seen + self.trust * tags.usual) / (fade.sum() + self.trust), np.float64)

    def interests(self, tags: Tags, history: I32, *, most: int = 10) -> list[Interest]:
        """The strongest interests, strongest first; those that stand above what is usual."""
        weights = self.weights(tags, history)
        spread = np.maximum(tags.affinity.std(axis=0), np.finfo(np.float32).eps)
        strength = (weights - tags.usual) / spread
        trend = self._trend(tags, history)
        order = np.argsort(-strength, kind="stable")[:most]
        return [
            Interest(
                tags.names[tag],
                tags.kind,
                float(weights[tag]),
                float(tags.usual[tag]),
                float(strength[tag]),
                tuple(float(window[tag]) for window in trend),
                self._behind(tags, history, int(tag)),
            )
            for tag in order
            if strength[tag] > 0
        ]

    def _trend(self, tags: Tags, history: I32) -> list[F64]:
        """Weights of each window alone, without fading: equal numbers of events, none empty."""
        count = min(self.windows, len(history))
        edges: I64 = (
            np.linspace(0, len(history), count + 1).round().astype(np.int64)
            if count
            else np.zeros(1, np.int64)
        )
        plain = ProfileMaker(half_life=None, trust=self.trust)
        return [plain.weights(tags, history[start:end]) for start, end in pairwise(edges)]

    def _behind(self, tags: Tags, history: I32, tag: int) -> tuple[int, ...]:
        """The events that add most to a tag's weight, most first."""
        added = self._fading(len(history)) * (tags.affinity[history, tag] - tags.usual[tag])
        order = np.argsort(-added, kind="stable")[: self.behind]
        return tuple(int(event) for event in order if added[event] > 0)

    def _fading(self, events: int) -> F64:
        ages = np.arange(events - 1, -1, -1, dtype=np.float64)
        return np.ones(events) if self.half_life is None else 0.5 ** (ages / self.half_life)


def average_precision(weights: F64, right: F32) -> float:
    """Of tags ranked by weight, where several may be right: 1 if these stand in front. Ties stand against.

    weights: float64[n_tags].  right: [n_tags], above 0 for a right one; at least one is.
    """
    order = np.lexsort((right > 0, -weights))
    hits = right[order] > 0
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def _directions(vectors: F32) -> F32:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)
