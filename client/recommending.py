"""A person's list, made on the device from the own history, the own adapter and the exported model."""

import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from penchant.client.device_store import DeviceStore, StoredEvent
from penchant.client.interests import Interest, interests
from penchant.client.model_file import FILE, up_to_date
from penchant.client.preferences import Preferences
from penchant.client.reasons import Reason, reasons
from penchant.errors import BadInput
from penchant.ranking import top_items
from penchant.score import Items, Scorer
from penchant.types import F32, I32, Bool, Kind

DID: Final = {
    Kind.VIEW: "viewed",
    Kind.CLICK: "opened",
    Kind.PURCHASE: "bought",
    Kind.SEARCH: "searched for",
    Kind.LIKE: "liked",
    Kind.COMMENT: "commented on",
    Kind.SHARE: "shared",
    Kind.RATING: "rated",
}
_AGE: Final = re.compile(r"(\d{1,2})\+")


@dataclass(frozen=True, slots=True)
class Because:
    """A reason in words. item_id: the item of the history that it is about, empty where it is about none."""

    text: str
    share: float
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One line of a list. place: from 1.  score: comparable within one list alone.  why: the strongest reason first."""

    place: int
    item_id: str
    title: str
    categories: tuple[str, ...]
    score: float
    why: tuple[Because, ...]

    def to_record(self) -> dict[str, Any]:
        return asdict(self)


class Recommender:
    """Lists from one device's store. What was recorded a moment ago counts: nothing has to be trained for it."""

    def __init__(self, store: DeviceStore, scorer: Scorer) -> None:
        self._store, self._scorer = store, scorer
        self._last_hidden: tuple[Preferences, Bool] | None = None

    @classmethod
    def of(cls, store: DeviceStore, *, apart: bool = False) -> "Recommender":
        """apart: as in `up_to_date`.  Raises: BadInput where the device has no model yet."""
        scorer = up_to_date(store.home, apart=apart)
        if scorer is None:
            path = store.home / FILE
            raise BadInput(f"{store.home}: no model yet; enroll the device, or put an exported one at {path}")
        return cls(store, scorer)

    @property
    def items(self) -> Items:
        return self._scorer.items

    @property
    def origin(self) -> str:
        """What the model was made from."""
        return self._scorer.origin

    def suggest(self, k: int) -> list[Suggestion]:
        """The k best items that the person has not met and wants to see."""
        history, adapter = self._person()
        scores = self._scorer.scores(history, adapter=adapter)
        hidden = self._hidden(self._store.preferences()) | self._met()
        chosen = top_items(scores[None], min(k, len(scores)), seen=[np.flatnonzero(hidden)])[0]
        return self._explained(chosen[chosen >= 0], scores, history, adapter)

    def explain(self, item_id: str) -> Suggestion:
        """Why an item has its score, whether or not it is on the list. Raises: BadInput for an unknown item."""
        if item_id not in self.items.index:
            raise BadInput(f"{item_id!r} is not in the catalogue")
        history, adapter = self._person()
        scores = self._scorer.scores(history, adapter=adapter)
        asked = np.array([self.items.index[item_id]], np.int32)
        (line,) = self._explained(asked, scores, history, adapter)
        place = 1 + int((scores > scores[asked[0]]).sum())
        return Suggestion(place, line.item_id, line.title, line.categories, line.score, line.why)

    def interests(self) -> list[Interest]:
        """Categories of the catalogue, the most wished for first; empty where nothing was recorded that counts."""
        history, adapter = self._person()
        if len(history) == 0:
            return []
        return interests(self.items, self._scorer.scores(history, adapter=adapter) - self._liked_by_all)

    def _hidden(self, preferences: Preferences) -> Bool:
        """As `hidden_items`, looked up anew only when the person has decided anew."""
        if self._last_hidden is None or self._last_hidden[0] != preferences:
            self._last_hidden = preferences, hidden_items(self.items, preferences)
        return self._last_hidden[1]

    @cached_property
    def _liked_by_all(self) -> F32:
        every = np.arange(len(self.items), dtype=np.int32)
        return self._scorer.parts(np.zeros(0, np.int32), every).everyone

    def _person(self) -> tuple[I32, F32 | None]:
        adapter = self._store.adapter(belongs_to=self._scorer.belongs_to)
        fits = adapter is not None and len(adapter) == self._scorer.adapter_size
        return self._store.history(self.items.index), adapter if fits else None

    def _met(self) -> Bool:
        met = np.zeros(len(self.items), np.bool_)
        met[
            [self.items.index[e.event.item] for e in self._store.events() if e.event.item in self.items.index]
        ] = True
        return met

    def _explained(self, chosen: I32, scores: F32, history: I32, adapter: F32 | None) -> list[Suggestion]:
        whys = reasons(self._scorer, history, chosen, adapter=adapter)
        counted = self._store.counted(self.items.index)
        items = self.items
        return [
            Suggestion(
                place,
                items.ids[i],
                items.titles[i],
                items.categories[i],
                float(scores[i]),
                tuple(self._said(reason, counted) for reason in why),
            )
            for place, (i, why) in enumerate(zip(chosen.tolist(), whys, strict=True), start=1)
        ]

    def _said(self, reason: Reason, counted: list[StoredEvent]) -> Because:
        if reason.event is None:
            return Because(reason.what, reason.share)
        event = counted[reason.event].event
        title = self.items.titles[self.items.index[event.item]]
        return Because(f"you {DID[event.kind]} {title}", reason.share, event.item)


def hidden_items(items: Items, preferences: Preferences) -> Bool:
    """Which items the person does not want to see or is too young for: bool[n_items]."""
    blocked = preferences.blocked_categories
    return np.array(
        [
            not blocked.isdisjoint(own)
            or (preferences.age is not None and preferences.age < _least_age(own, preferences))
            for own in items.categories
        ],
        np.bool_,
    )


def _least_age(categories: tuple[str, ...], preferences: Preferences) -> int:
    named = [preferences.age_limits.get(one, 0) for one in categories]
    rated = [int(match[1]) for one in categories if (match := _AGE.fullmatch(one))]
    return max([*named, *rated], default=0)
