"""One person's store as training sees it."""

from contextlib import AbstractContextManager
from typing import Any

from penchant.client.account import FILE as ACCOUNT
from penchant.client.account import claim_account
from penchant.client.app import ClientPlan
from penchant.client.device_store import DeviceStore
from penchant.client.store import PersonalState
from penchant.strategies.invitation import Invitation
from penchant.types import I32, Unit


class StoredDevice:
    """The `Device` that lies in a store. What other processes change in it counts at once."""

    def __init__(self, store: DeviceStore, invitation: Invitation, plan: ClientPlan) -> None:
        """Raises: BadInput where the account counts another unit than the federation protects."""
        if plan.guarantee.unit is not Unit.NONE:
            claim_account(store.home / ACCOUNT, plan.guarantee.unit)
        self._store = store
        self._index = invitation.catalogue.index
        self._federation = invitation.terms.name
        self._personal = store.personal(plan.personal.read(plan.model), belongs_to=invitation.digest)

    def history(self) -> I32:
        return self._store.history(self._index)

    def consents(self) -> bool:
        return self._store.consents()

    def sends(self, what: str, **detail: Any) -> None:
        self._store.note(what, federation=self._federation, **detail)

    def load(self) -> PersonalState:
        return self._personal.load()

    def save(self, state: PersonalState) -> None:
        """The account in any case; what was learned only while the person takes part."""
        if self.consents():
            self._personal.save(state)
        else:
            self._personal.charge(state)

    def unerased(self) -> AbstractContextManager[None]:
        return self._store.unerased()
