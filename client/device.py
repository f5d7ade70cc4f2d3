"""One person's store as training sees it."""

from penchant.client.app import ClientPlan
from penchant.client.device_store import DeviceStore
from penchant.client.store import PersonalState
from penchant.strategies.invitation import Invitation
from penchant.types import I32


class StoredDevice:
    """The `Device` that lies in a store. What other processes change in it counts at once."""

    def __init__(self, store: DeviceStore, invitation: Invitation, plan: ClientPlan) -> None:
        self._store = store
        self._index = invitation.catalogue.index
        self._federation = invitation.terms.name
        self._personal = store.personal(plan.personal.read(plan.model), belongs_to=invitation.digest)

    def history(self) -> I32:
        return self._store.history(self._index)

    def consents(self) -> bool:
        return self._store.consents()

    def sends(self, round_: int) -> None:
        self._store.note("sent an update", federation=self._federation, round=round_)

    def load(self) -> PersonalState:
        return self._personal.load()

    def save(self, state: PersonalState) -> None:
        self._personal.save(state)
