"""The person can look up each update that left, and none leaves without consent."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from flwr.app import Message

from penchant.client.device import StoredDevice
from penchant.client.device_store import DeviceStore
from penchant.client.enrolment import Enrolment
from penchant.client.facts import privacy_facts
from penchant.client.participation import NO_CONSENT, Participant, plan_of
from penchant.client.sealing import KeyFile
from penchant.simulation.grid import LocalGrid
from penchant.strategies.invitation import Invitation
from penchant.strategies.wire import TrainRequest, request_content
from penchant.types import F32, Event, Kind


def test_every_update_that_left_is_in_the_journal_and_none_leaves_without_consent(
    home: Path, key_file: KeyFile, invitation: Invitation, receive: Callable[[int], F32]
) -> None:
    head, plan = receive(1), plan_of(invitation, epsilon_limit=None)
    with DeviceStore.open(home, key_file) as store:
        store.add([Event(item, Kind.VIEW, n) for n, item in enumerate(invitation.catalogue.item_ids[:4])])
        app = Participant(plan, StoredDevice(store, invitation, plan), Enrolment(home)).app()

        def ask(round_: int) -> Message:
            content = request_content(plan.shared, TrainRequest(round_, head))
            grid = LocalGrid(app, [1])
            message = grid.create_message(content, "train", 1, str(round_))
            return next(iter(grid.send_and_receive([message])))

        assert ask(1).error.code == NO_CONSENT
        store.set_consent(True)
        assert not ask(2).has_error()
        store.set_consent(False)
        assert ask(3).error.code == NO_CONSENT
        told = privacy_facts(store)
        assert [entry.what for entry in told.journal] == [
            "consent given",
            "sent an update",
            "consent withdrawn",
        ]
        assert told.journal[1].detail == {"federation": "films", "round": 2}
        assert (told.releases, told.epsilon is not None and told.epsilon > 0) == (1, True)
        adapter = store.adapter(belongs_to=invitation.digest)
        assert adapter is not None
        assert np.isfinite(adapter).all()
