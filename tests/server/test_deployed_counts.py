"""Counts on loopback: what a simulation counts, over TLS, once each, charged before they exist, and handed out."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from penchant.client.account import FILE, read_account, totals
from penchant.client.device_store import DeviceStore
from penchant.client.enrolment import Enrolment
from penchant.client.recommending import Recommender
from penchant.client.sealing import Passphrase
from penchant.config import CompanySettings
from penchant.datasets import Dataset
from penchant.interest.company import Company
from penchant.interest.lift import read_counts
from penchant.privacy.charges import Charges
from penchant.privacy.checks import UNSIGNED_CHECKS
from penchant.privacy.ledger import read_ledger
from penchant.privacy.verify import verify
from penchant.rundir import RunDirectory
from penchant.simulation.counting import summed
from penchant.strategies.counting import What, told_of
from penchant.strategies.wire import TrainRequest
from penchant.types import F32, F64, I32, Event, Kind
from tests.server.deployed import (
    SECRET,
    Deployed,
    counts_pairs_slowly,
    deployed,
    exit_code,
    killed,
    sends_the_same_count_twice,
    until,
)

pytestmark = [pytest.mark.xdist_group("deployment"), pytest.mark.timeout(900)]
PEOPLE = ("ann", "ben", "cas")
THREE = {"population": 3, "min_clients": 3}


def mean(run: RunDirectory, what: What) -> F64:
    values: F64 = load_file(run.counts / f"{what}.safetensors")["mean"].astype(np.float64)
    return values


def doubts(run: RunDirectory) -> dict[str, str]:
    findings = verify(run, UNSIGNED_CHECKS, key=None, witness=None).findings
    return {f.check: f.detail for f in findings if not f.ok and f.check != "configuration"}


def company_of(home: Path) -> bytes:
    return Enrolment(home).company_path.read_bytes()


def history(data: Dataset, user: str) -> I32:
    return data.behaviours.of(data.behaviours.user_ids.index(user)).items


def test_a_killed_server_counts_nothing_twice_and_trains_what_is_left(tmp_path: Path, tiny: Dataset) -> None:
    """It dies while it counts pairs; one client replays its count of items, and is left out of that of pairs."""
    counted: dict[str, Any] = {"company": {"items": 5, "window": 3}, "privacy": {"epsilon": 30.0}}
    patient = {
        "rounds": 1,
        "round_deadline_seconds": 180.0,
    }  # a device that lost a message comes back after a while
    with deployed(tmp_path, tiny, federation=patient, server=THREE, **counted) as one:
        homes = [one.device(user, enrolled=False) for user in PEOPLE]
        one.enroll(*homes)
        behave = (counts_pairs_slowly, sends_the_same_count_twice, None)
        clients = [one.start_client(home, act) for home, act in zip(homes, behave, strict=True)]
        run, first = one.deployment.run, one.start_server()
        until(lambda: one.phase() == "counting pairs", "pairs are counted")
        killed(first)
        assert not (run.counts / "pairs.safetensors").exists()
        items = (run.counts / "items.safetensors").read_bytes()
        assert exit_code(one.start_server()) == 0
        assert [exit_code(client) for client in clients] == [0, 0, 0]

        assert (run.counts / "items.safetensors").read_bytes() == items, "what was released was counted again"
        charges = Charges(read_ledger(run.ledger_path)).all()
        assert [(c.purpose, c.round, c.went_out) for c in charges] == [
            ("items", 0, True),
            ("pairs", 0, True),
            ("update", 1, True),
        ]
        assert doubts(run) == {}
        assert [row["what"] for row in one.counts()] == ["items", "pairs"]
        assert [(row["clients"], row["refused"]) for row in one.counts()] == [(3, 0), (2, 1)]
        assert {company_of(home) for home in homes} == {run.company_path.read_bytes()}
        for home in homes:
            assert sum(totals(read_account(home / FILE)).values()) >= 3, "a device forgot what it gave"
        with DeviceStore.open(homes[2], Passphrase(SECRET)) as store:
            told = [entry.what for entry in store.journal()]
        assert told[0] == "consent given"
        assert told[-1] == "sent an update"
        assert {"sent what was counted: items", "sent what was counted: pairs"} <= set(told)


def test_a_deployment_counts_what_a_simulation_counts_and_serves_who_comes_later(
    tmp_path: Path, tiny: Dataset
) -> None:
    voted = {"items": 5, "window": 3, "gate_share": 0.1}
    plain: dict[str, Any] = {"company": voted, "privacy": {"unit": "none"}}
    with deployed(tmp_path, tiny, federation={"rounds": 0}, server=THREE, **plain) as one:
        homes = [one.device(user, enrolled=False) for user in PEOPLE]
        one.enroll(*homes)
        clients = [one.start_client(home) for home in homes]
        server, run = one.start_server(stay=True), one.deployment.run
        assert [exit_code(client) for client in clients] == [0, 0, 0]
        _counted_as_simulated(one, tiny)

        late = one.device("dee")
        assert exit_code(one.start_client(late)) == 0
        assert company_of(late) == run.company_path.read_bytes()
        assert [row["clients"] for row in one.counts()] == [3, 3, 3], "the late one was counted"
        _served_as_simulated(one, late)
        server.terminate()
        assert exit_code(server) == 130


def _served_as_simulated(one: Deployed, late: Path) -> None:
    """By the file that came: no history of its own, then one event after the other, without any round."""
    company = Company.read(load_file(one.deployment.run.company_path), CompanySettings())
    with DeviceStore.open(late, Passphrase(SECRET)) as store:
        catalogue = one.deployment.invitation().catalogue
        for stored in store.events():
            store.forget(stored.id)
        for item in (None, "alien", "toy-story"):
            if item is not None:
                store.add([Event(item, Kind.VIEW, 1)])
            expected = company.scores([store.history(catalogue.index)])[0]
            lines = Recommender.of(store).suggest(5)
            found = [catalogue.index[line.item_id] for line in lines]
            assert len(found) == 5
            np.testing.assert_allclose([line.score for line in lines], expected[found], rtol=1e-4)


def _counted_as_simulated(one: Deployed, data: Dataset) -> None:
    invitation = one.deployment.invitation()
    terms, released = invitation.terms.counting, dict[What, F32]()
    assert terms is not None
    read = partial(read_counts, vectors=invitation.vectors, settings=terms.settings)
    for what in What:
        asked = TrainRequest(1, told_of(released))
        expected = summed(terms, what, [history(data, user) for user in PEOPLE], asked, read)
        found = len(PEOPLE) * mean(one.deployment.run, what)
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(found, expected, atol=1e-6)
        released[what] = found.astype(np.float32)
