"""What an app or a page may do on behalf of the person whose device this is."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from penchant.client.device_store import DeviceStore, StoredEvent
from penchant.client.erasing import erase
from penchant.client.facts import PrivacyFacts, privacy_facts
from penchant.client.interests import Interest
from penchant.client.model_file import is_newest
from penchant.client.preferences import Preferences
from penchant.client.recommending import Recommender, Suggestion
from penchant.errors import BadInput
from penchant.types import Event


class Person:
    """One device's store behind the few things that are asked of it. Safe to call from several threads.

    changed: called after events or choices have changed, for instance to adapt.  load: the model of the newest head.
    """

    def __init__(
        self,
        store: DeviceStore,
        *,
        changed: Callable[[], None] = lambda: None,
        load: Callable[[], Recommender] | None = None,
    ) -> None:
        self._store, self._changed = store, changed
        self._load = load or (lambda: Recommender.of(store))
        self._lock = threading.RLock()
        self._recommender: Recommender | None = None

    def record(self, events: Iterable[Event]) -> list[int]:
        """Raises: BadInput after an erasure, here and below."""
        numbers = self._live().add(events)
        self._changed()
        return numbers

    def suggest(self, k: int) -> list[Suggestion]:
        """Raises: BadInput where the device has no model yet."""
        with self._lock:
            return self._lists().suggest(k)

    def explain(self, item_id: str) -> Suggestion:
        with self._lock:
            return self._lists().explain(item_id)

    def interests(self) -> list[Interest]:
        with self._lock:
            return self._lists().interests()

    def title(self, item_id: str) -> str:
        """The item's title; its id where the catalogue does not know it."""
        with self._lock:
            items = self._lists().items
        place = items.index.get(item_id)
        return item_id if place is None else items.titles[place]

    def categories(self) -> list[str]:
        with self._lock:
            return sorted({one for own in self._lists().items.categories for one in own})

    def events(self) -> list[StoredEvent]:
        return self._live().events()

    def facts(self) -> PrivacyFacts:
        return privacy_facts(self._live())

    def preferences(self) -> Preferences:
        return self._live().preferences()

    def take_part(self, yes: bool) -> None:
        """Withdrawal counts at once, also in the middle of a round."""
        if yes != self._live().consents():
            self._live().set_consent(yes)
            self._changed()

    def prefer(self, preferences: Preferences) -> None:
        self._live().set_preferences(preferences)
        self._changed()

    def forget(self, event_id: int) -> None:
        self._live().forget(event_id)
        self._changed()

    def export(self) -> dict[str, Any]:
        """All that the device holds about the person, as JSON can hold it."""
        store, facts = self._live(), self.facts()
        return {
            "events": [{"id": one.id, **asdict(one.event)} for one in store.events()],
            "consents": facts.consents,
            "preferences": store.preferences().model_dump(mode="json"),
            "journal": [asdict(entry) for entry in facts.journal],
            "releases": facts.releases,
            "epsilon": facts.epsilon,
            "adapter": store.any_adapter(),
        }

    def erase(self) -> list[str]:
        """Everything but the spent budget. Returns what cannot be undone. Nothing else can be asked afterwards."""
        with self._lock:
            told = erase(self._live())
            self._recommender = None
        return told

    def _live(self) -> DeviceStore:
        if self._store.erased:
            raise BadInput(
                "everything on this device was erased; stop the agent, then `penchant client init`"
            )
        return self._store

    def _lists(self) -> Recommender:
        store = self._live()
        if self._recommender is None or not is_newest(store.home, self._recommender.origin):
            self._recommender = self._load()
        return self._recommender
