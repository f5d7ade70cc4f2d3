"""The person can look up each update that left, and none leaves without consent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message

from penchant.client import app
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
        asked = Participant(plan, StoredDevice(store, invitation, plan), Enrolment(home)).app()

        def ask(round_: int) -> Message:
            content = request_content(plan.shared, TrainRequest(round_, head))
            grid = LocalGrid(asked, [1])
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


def test_a_withdrawal_while_the_head_is_trained_keeps_the_update_here_and_what_was_learned_nowhere(
    home: Path,
    key_file: KeyFile,
    invitation: Invitation,
    receive: Callable[[int], F32],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head, plan = receive(1), plan_of(invitation, epsilon_limit=None)
    untrained, train = plan.personal.read(plan.model), vars(app)["head_update"]

    def withdrawn(*asked: Any, **settings: Any) -> F32:
        with DeviceStore.open(home, key_file) as other:
            other.set_consent(False)
        update: F32 = train(*asked, **settings)
        return update

    monkeypatch.setattr(app, "head_update", withdrawn)
    with DeviceStore.open(home, key_file) as store:
        store.add([Event(item, Kind.VIEW, n) for n, item in enumerate(invitation.catalogue.item_ids[:4])])
        store.set_consent(True)
        participant = Participant(plan, StoredDevice(store, invitation, plan), Enrolment(home))
        grid = LocalGrid(participant.app(), [1])
        content = request_content(plan.shared, TrainRequest(2, head))
        (reply,) = grid.send_and_receive([grid.create_message(content, "train", 1, "2")])
        assert not np.array_equal(plan.personal.read(plan.model), untrained), (
            "nothing was learned to begin with"
        )
        assert reply.error.code == NO_CONSENT
        told = privacy_facts(store)
        assert [entry.what for entry in told.journal] == ["consent given", "consent withdrawn"]
        assert told.releases == 1, "what was charged stays charged"
        np.testing.assert_array_equal(store.any_adapter(), untrained)
