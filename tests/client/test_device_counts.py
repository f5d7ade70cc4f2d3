"""A device that is asked to count: with consent, once on its account, in its journal, and with counts alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flwr.app import ConfigRecord, Message, RecordDict
from safetensors.numpy import save

from penchant.client.app import BUDGET_SPENT
from penchant.client.device import StoredDevice
from penchant.client.device_store import DeviceStore
from penchant.client.enrolment import Enrolment
from penchant.client.facts import privacy_facts
from penchant.client.participation import FAILED, NO_CONSENT, Participant, plan_of
from penchant.client.person import Person
from penchant.client.reasons import EVERYONE
from penchant.client.recommending import Recommender
from penchant.client.sealing import KeyFile
from penchant.config import CompanySettings, FederationSettings, PrivacySettings
from penchant.errors import BadInput
from penchant.interest.company import Company
from penchant.interest.counting import item_counts
from penchant.simulation.grid import LocalGrid
from penchant.strategies.counting import CountingTerms, What
from penchant.strategies.hand_out import company_content
from penchant.strategies.invitation import Invitation, Terms, read_invitation
from penchant.strategies.resolution import counting_terms
from penchant.strategies.wire import TrainRequest, read_update, request_content
from penchant.types import Event, Kind, Unit

COMPANY = CompanySettings(items=5, window=3, neighbours=4, gate_share=0.1)


def counting(n_items: int) -> CountingTerms:
    privacy = PrivacySettings(epsilon=8.0)
    terms = counting_terms(privacy, FederationSettings(rounds=0), COMPANY, n_items=n_items)
    assert terms is not None
    return terms


@pytest.fixture
def counted(invitation: Invitation, tmp_path: Path, key_file: KeyFile) -> tuple[Path, Invitation]:
    """A device that was invited to count."""
    terms = invitation.terms.model_copy(update={"counting": counting(len(invitation.catalogue))})
    offered = replace(invitation, terms=terms)
    DeviceStore.create(tmp_path / "counting", key_file).close()
    Enrolment(tmp_path / "counting").join(offered)
    return tmp_path / "counting", offered


class Asking:
    """One device, open, and a server that asks it."""

    def __init__(self, home: Path, store: DeviceStore, invitation: Invitation) -> None:
        self.plan = plan_of(invitation, epsilon_limit=None)
        self.terms = self.plan.counting
        assert self.terms is not None
        device = StoredDevice(store, invitation, self.plan)
        self._grid = LocalGrid(Participant(self.plan, device, Enrolment(home)).app(), [1])

    def count(self, what: What, round_: int = 1) -> Message:
        assert self.terms is not None
        told = self.terms.told(what)
        content = request_content(told, TrainRequest(round_, np.zeros(told.size, np.float32)))
        return self.send(content, f"train.{what}")

    def send(self, content: RecordDict, kind: str) -> Message:
        return next(iter(self._grid.send_and_receive([self._grid.create_message(content, kind, 1, "1")])))


def acts(store: DeviceStore, invitation: Invitation, n_events: int) -> None:
    ids = invitation.catalogue.item_ids
    store.add([Event(ids[n % len(ids)], Kind.VIEW, n) for n in range(n_events)])


def test_counts_leave_with_consent_once_on_the_account_and_in_the_journal(
    counted: tuple[Path, Invitation], key_file: KeyFile
) -> None:
    home, invitation = counted
    with DeviceStore.open(home, key_file) as store:
        acts(store, invitation, 4)
        asking = Asking(home, store, invitation)
        assert asking.count(What.ITEMS).error.code == NO_CONSENT
        store.set_consent(True)
        replies = [asking.count(What.ITEMS), asking.count(What.ITEMS)]  # a server that crashed asks again
        for what in What:
            if what is not What.ITEMS:
                replies.append(asking.count(what))
        assert not any(reply.has_error() for reply in replies)
        told = privacy_facts(store)
        assert told.releases == len(What), (
            "asked again for the same, nothing new is told, and nothing more is spent"
        )
        assert told.epsilon is not None
        assert 7.9 < told.epsilon <= 8.0
        left = [entry.what for entry in told.journal]
        assert left[1:] == [f"sent what was counted: {w}" for w in ("items", *(w.value for w in What))]
        assert told.federation is not None
        assert "which items you have" in told.federation.trusted
        acts(store, invitation, 6)
        assert asking.count(What.ITEMS).error.code == BUDGET_SPENT, "another history is another release"


def test_what_a_count_sends_is_its_numbers_and_as_long_for_3_events_as_for_300(
    counted: tuple[Path, Invitation], key_file: KeyFile
) -> None:
    home, invitation = counted
    lengths = set()
    with DeviceStore.open(home, key_file) as store:
        store.set_consent(True)
        for n_events in (3, 297):
            acts(store, invitation, n_events)
            asking = Asking(home, store, invitation)
            reply = asking.count(What.ITEMS)
            assert asking.terms is not None
            assert set(reply.content) == {"update", "config"}
            assert set(reply.content.array_records["update"]) == {"shared.items"}
            assert dict(reply.content.config_records["config"]) == {"round": 1}
            sent = read_update(asking.terms.layout(What.ITEMS), reply, round_=1).values
            expected = item_counts(store.history(invitation.catalogue.index), COMPANY, Unit.USER)
            assert np.array_equal(np.flatnonzero(sent), expected.cells)
            assert np.linalg.norm(sent) == pytest.approx(1.0)
            lengths.add(sum(len(a.data) for a in reply.content.array_records["update"].values()))
            store._write({"account": b'{"charges":[]}'})  # let it count once more
            (home / "account.json").unlink()
    assert len(lengths) == 1


def company(n_items: int, **wrong: np.ndarray) -> Company:
    random = np.random.default_rng(0)
    tensors = {
        "neighbours": random.integers(0, n_items, (n_items, 4)).astype(np.int32),
        "excess": random.random((n_items, 4), np.float32),
        "liked": random.random(n_items, np.float32),
        "new": np.zeros(0, np.int32),
        "alike": np.zeros((n_items, 0), np.float32),
        "target": np.zeros(0, np.int32),
        "gate": np.zeros((0, 2), np.float32),
        **wrong,
    }
    return Company.read(tensors, COMPANY)


def test_a_company_is_kept_as_it_came_and_another_is_turned_away(
    counted: tuple[Path, Invitation], key_file: KeyFile
) -> None:
    home, invitation = counted
    n_items = len(invitation.catalogue)
    wrong = {
        "a neighbour that is not there": company(n_items, neighbours=np.full((n_items, 4), n_items)),
        "a negative neighbour": company(n_items, neighbours=np.full((n_items, 4), -1)),
        "no number": company(n_items, liked=np.full(n_items, np.nan)),
        "rarer than never": company(n_items, excess=np.full((n_items, 4), -1.1)),
        "a gate of another kind": company(n_items, gate=np.ones((2, 2))),
        "another catalogue": company(n_items + 1),
        "too many neighbours": company(
            n_items, neighbours=np.zeros((n_items, 9)), excess=np.zeros((n_items, 9))
        ),
    }
    good = company(n_items)
    with DeviceStore.open(home, key_file) as store:
        asking, enrolment = Asking(home, store, invitation), Enrolment(home)
        assert asking.terms is not None
        for said, one in wrong.items():
            assert asking.send(company_content(one), "query.company").error.code == FAILED, said
        other = RecordDict({"config": ConfigRecord({})})
        assert asking.send(other, "query.company").error.code == FAILED
        assert enrolment.company(asking.terms) is None
        assert not asking.send(company_content(good), "query.company").has_error()
        assert enrolment.company_path.read_bytes() == save(dict(good.tensors()))
        enrolment.company_path.write_bytes(b"damaged")
        with pytest.raises(BadInput, match=r"company\.safetensors: not a company"):
            enrolment.company(asking.terms)


def test_a_person_without_history_is_served_by_the_prior_and_each_event_counts_at_once(
    counted: tuple[Path, Invitation], key_file: KeyFile
) -> None:
    """No round, no head, no consent: what came by the federation is enough, and a reason is an event's own part."""
    home, invitation = counted
    catalogue = invitation.catalogue
    before = company(len(catalogue))
    with DeviceStore.open(home, key_file) as store:
        by_texts = Recommender.of(store)
        Enrolment(home).keep_company(save(dict(before.tensors())))
        person = Person(store)
        first = person.suggest(len(catalogue))
        assert [catalogue.index[line.item_id] for line in first] == np.argsort(-before.base).tolist()
        assert {why.text for line in first for why in line.why} <= {EVERYONE}
        assert by_texts.origin != Recommender.of(store).origin

        person.record([Event(catalogue.item_ids[3], Kind.LIKE, 1)])
        then = person.suggest(len(catalogue))
        scores = before.scores([np.array([3], np.int32)])[0]
        expected = [item for item in np.argsort(-scores).tolist() if item != 3]
        assert [catalogue.index[line.item_id] for line in then] == expected
        best = int(before.neighbours[3][before.excess[3].argmax()])
        why = person.explain(catalogue.item_ids[best]).why
        assert why[0].text == f"you liked {catalogue.titles[3]}"
        (part,) = before.reasons(np.array([3], np.int32), best)
        assert part == pytest.approx(scores[best] - before.base[best], rel=1e-4)
        assert person.interests()


def test_terms_that_promise_what_a_device_does_not_do_are_refused(
    counted: tuple[Path, Invitation], tmp_path: Path
) -> None:
    """Half the true bound would halve the noise at the epsilon that is shown."""
    _, invitation = counted
    record = invitation.terms.model_dump(mode="json")
    assert Terms.model_validate(record) == invitation.terms
    record["counting"]["guarantees"]["pairs"]["clip_bound"] = 0.5
    with pytest.raises(ValueError, match=r"counting\.pairs promises"):
        Terms.model_validate(record)
    fewer = invitation.terms.model_copy(update={"counting": counting(3)})
    replace(invitation, terms=fewer).save(tmp_path / "fewer")
    with pytest.raises(BadInput, match="counts 3 items, the catalogue has 12"):
        read_invitation(tmp_path / "fewer")
