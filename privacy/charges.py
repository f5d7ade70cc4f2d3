"""What the ledger's entries add up to: charges, each in one state, and the events that they cost."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from penchant.errors import BadInput, CheckFailed
from penchant.privacy.chain import Entry
from penchant.privacy.events import (
    BandedGaussianSum,
    PoissonGaussianSum,
    PrivacyEvent,
    from_record,
    to_record,
)


class State(StrEnum):
    """How far a charge went. It counts from `reserved` on, for ever."""

    RESERVED = "reserved"
    PERSISTED = "persisted"
    RELEASED = "released"
    PUBLISHED = "published"
    ABORTED = "aborted"


_NEXT: Final = {
    State.RESERVED: {State.PERSISTED, State.ABORTED},
    State.PERSISTED: {State.RELEASED, State.ABORTED},
    State.RELEASED: {State.PUBLISHED},
    State.PUBLISHED: set[State](),
    State.ABORTED: set[State](),
}


@dataclass(frozen=True, slots=True)
class Charge:
    """One release, from its reservation on.

    id: the number of the entry that reserved it.  purpose: what is released, for instance "update".
    people: who takes part and so pays, as pseudonyms; None: everybody.
    reproducible: a rerun draws the same noise, so the run protects nobody.
    result: SHA-256 of the noised value that was made durable, once it was.
    """

    id: int
    run: str
    round: int
    event: PrivacyEvent
    purpose: str
    people: frozenset[str] | None
    reproducible: bool
    state: State = State.RESERVED
    result: str | None = None

    @property
    def terms(self) -> tuple[PrivacyEvent, frozenset[str] | None, bool]:
        """What would have to be the same for two draws to be one."""
        return self.event, self.people, self.reproducible

    @property
    def went_out(self) -> bool:
        return self.state in (State.RELEASED, State.PUBLISHED)


class Charges:
    """The charges that a chain of entries tells of. Grows by `apply`, which refuses what no honest writer writes."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._by_id: dict[int, Charge] = {}
        self._everybody: Counter[PrivacyEvent] = Counter()
        self._named: dict[str, Counter[PrivacyEvent]] = {}
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        """Take one entry in. Raises: CheckFailed naming the entry, and then nothing has changed."""
        charge = self.preview(entry)
        if charge is None:
            return
        if charge.id not in self._by_id:
            self._count(charge)
        self._by_id[charge.id] = charge

    def preview(self, entry: Entry) -> Charge | None:
        """The charge as this entry would leave it; None where the entry speaks of none. Raises: CheckFailed."""
        try:
            content = entry.content
            return None if content["state"] == "opened" else self._next(entry.number, content)
        except (KeyError, TypeError, ValueError, BadInput) as error:
            raise CheckFailed(f"ledger entry {entry.number} is not well formed: {error!r}") from error

    def _next(self, number: int, content: Mapping[str, Any]) -> Charge:
        state = State(content["state"])
        if state is State.RESERVED:
            return self._reserved(number, content)
        charge = self._by_id[content["charge"]]
        if state not in _NEXT[charge.state]:
            raise CheckFailed(f"ledger entry {number}: a charge that is {charge.state} cannot become {state}")
        if state is State.RELEASED and any(other.went_out for other in self.of_round(charge)):
            raise CheckFailed(f"ledger entry {number}: round {charge.round} was released before")
        return replace(charge, state=state, result=content.get("result", charge.result))

    def _reserved(self, number: int, content: Mapping[str, Any]) -> Charge:
        charge = charge_from(number, content)
        latest = max((c.round for c in self._by_id.values() if c.run == charge.run), default=charge.round)
        if charge.round < latest:
            raise CheckFailed(f"ledger entry {number}: round {charge.round} comes after round {latest}")
        self._check_separation(number, charge)
        return charge

    def _check_separation(self, number: int, charge: Charge) -> None:
        """Correlated noise is cheap only for people who take part seldom enough."""
        if not isinstance(charge.event, BandedGaussianSum):
            return
        for other in self._by_id.values():
            if other.state is State.ABORTED:
                continue  # it never went out, so nobody sees its noise; it costs all the same
            near = other.run == charge.run and charge.round - other.round < charge.event.band
            named = near and isinstance(other.event, BandedGaussianSum)
            if named and (charge.people or frozenset()) & (other.people or frozenset()):
                raise CheckFailed(
                    f"ledger entry {number}: somebody of round {other.round} takes part again in round {charge.round},"
                    f" less than {charge.event.band} rounds later"
                )

    def _count(self, charge: Charge) -> None:
        if charge.people is None:
            self._everybody[charge.event] += 1
        for person in charge.people or ():
            self._named.setdefault(person, Counter())[charge.event] += 1

    def all(self) -> list[Charge]:
        """Every charge, in the order of reservation."""
        return list(self._by_id.values())

    def get(self, charge_id: int) -> Charge:
        """Raises: BadInput for a charge that was never reserved."""
        if charge_id not in self._by_id:
            raise BadInput(f"charge {charge_id} was never reserved")
        return self._by_id[charge_id]

    def of_round(self, like: Charge) -> list[Charge]:
        """Charges for the same release: same run, round and purpose."""
        key = (like.run, like.round, like.purpose)
        return [c for c in self._by_id.values() if (c.run, c.round, c.purpose) == key]

    def people(self) -> list[str]:
        """Everyone who was ever named in a charge."""
        return sorted(self._named)

    def history(self, person: str) -> Counter[PrivacyEvent]:
        """How often each event happened to one person."""
        return self._everybody + self._named.get(person, Counter())

    def spent(self, person: str | None = None) -> list[PrivacyEvent]:
        """All events that count for one person; without a person, for whoever paid most. Nothing is ever refunded."""
        own = self._named.get(person, Counter()) if person is not None else self._dearest(self._named)
        return list((self._everybody + own).elements())

    def spent_by_dearest(self, people: Iterable[str]) -> list[PrivacyEvent]:
        """All events that count for whoever paid most among these people."""
        return list((self._everybody + self._dearest(people)).elements())

    def spent_after(self, rounds: Iterable[int]) -> list[Counter[PrivacyEvent]]:
        """What whoever had paid most had paid for after each of these rounds, which must ascend."""
        grown, left, found = Charges(), iter(sorted(self._by_id.values(), key=lambda c: c.round)), []
        waiting = next(left, None)
        for round_ in rounds:
            while waiting is not None and waiting.round <= round_:
                grown._count(waiting)
                waiting = next(left, None)
            found.append(Counter(grown.spent()))
        return found

    def _dearest(self, people: Iterable[str]) -> Counter[PrivacyEvent]:
        return max((self._named.get(person, Counter()) for person in people), key=_weight, default=Counter())


def charge_from(number: int, content: Mapping[str, Any]) -> Charge:
    """The charge that a reservation's content opens. Raises: BadInput, KeyError or TypeError where it is malformed."""
    people = content["people"]
    charge = Charge(
        id=number,
        run=str(content["run"]),
        round=int(content["round"]),
        event=from_record(content["event"]),
        purpose=str(content["purpose"]),
        people=None if people is None else frozenset(people),
        reproducible=bool(content["reproducible"]),
    )
    if charge.people is None and isinstance(charge.event, BandedGaussianSum):
        raise BadInput(
            "correlated noise needs the names of those who take part: its price rests on their rounds"
        )
    if charge.people is not None and isinstance(charge.event, PoissonGaussianSum):
        raise BadInput("naming the people of a secret sample would undo the secrecy that its price rests on")
    return charge


def reservation(charge: Charge) -> dict[str, Any]:
    """The content of the entry that reserves a charge: the inverse of `charge_from`."""
    return {
        "state": State.RESERVED.value,
        "run": charge.run,
        "round": charge.round,
        "event": to_record(charge.event),
        "purpose": charge.purpose,
        "people": None if charge.people is None else sorted(charge.people),
        "reproducible": charge.reproducible,
    }


def _weight(events: Counter[PrivacyEvent]) -> float:
    """Orders unamplified histories by price: the squared loss of the one Gaussian that they compose to."""
    return sum(count / event.noise_multiplier**2 for event, count in events.items())
