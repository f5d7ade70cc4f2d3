"""Rounds on loopback: a server and clients as real processes, over TLS with enrolled keys, and what they survive."""

from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from penchant.client.account import FILE, read_account, totals
from penchant.client.device_store import DeviceStore
from penchant.client.erasing import erase
from penchant.client.participation import plan_of
from penchant.client.probe import alive
from penchant.client.sealing import Passphrase
from penchant.datasets import Dataset
from penchant.privacy.charges import Charges
from penchant.privacy.ledger import read_ledger
from penchant.server.probe import well
from tests.server.deployed import (
    LATE_SECONDS,
    SECRET,
    changes_its_mind,
    deployed,
    dies_in_training,
    exit_code,
    head_of,
    is_late,
    killed,
    replays,
    until,
)

pytestmark = [pytest.mark.xdist_group("deployment"), pytest.mark.timeout(900)]


def releases(home: Path) -> int:
    return sum(totals(read_account(home / FILE)).values())


def scraped(port: int) -> dict[str, float]:
    """What Prometheus would read."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
        families = text_string_to_metric_families(reply.read().decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_a_killed_server_goes_on_until_the_budget_is_spent(tmp_path: Path, tiny: Dataset) -> None:
    """Three rounds are wished for, two can be paid; the server dies after the first; one client replays."""
    two_rounds = {"noise_multiplier": 2.0, "epsilon": 3.3}  # two cost 2.94 at delta 1e-5, three 3.71
    three = {"population": 3, "min_clients": 3}
    with deployed(tmp_path, tiny, privacy=two_rounds, federation={"rounds": 3}, server=three) as one:
        ann, ben, cas = (one.device(user, enrolled=False) for user in ("ann", "ben", "cas"))
        one.enroll(ann, ben, cas)
        clients = [one.start_client(ann), one.start_client(ben), one.start_client(cas, replays)]
        first = one.start_server()
        until(lambda: len(one.rows()) >= 1, "the first round is released")
        assert well(one.deployment.settings().server.health_port)
        told = scraped(one.deployment.settings().server.metrics_port)
        assert (told["penchant_round"], told["penchant_updates_admitted_total"]) == (1, 3)
        assert 0 < told["penchant_epsilon"] < told["penchant_epsilon_limit"] == 3.3
        assert 396 < told["penchant_certificate_days"] < 397
        killed(first)
        second = one.start_server()
        assert exit_code(second) == 3
        assert [exit_code(client) for client in clients] == [0, 0, 0]

        assert [(row["round"], row["clients"], row["refused"]) for row in one.rows()] == [
            (1, 3, 0),
            (2, 2, 1),
        ]
        charges = Charges(read_ledger(one.deployment.run.ledger_path)).all()
        assert [charge.round for charge in charges if charge.went_out] == [1, 2]
        assert np.array_equal(head_of(ann), head_of(ben))
        assert min(releases(ann), releases(ben)) >= 2, "a device forgot what it gave"
        assert not alive(ann)
        assert one.phase() == "stopped"
        assert not well(one.deployment.settings().server.health_port)


def test_rounds_go_on_whatever_some_clients_do(tmp_path: Path, tiny: Dataset) -> None:
    """One is honest; one is killed in training, one is late for the first round, one withdraws while it trains."""
    federation = {"rounds": 2, "round_deadline_seconds": LATE_SECONDS - 4, "min_replies": 0.25}
    with deployed(tmp_path, tiny, federation=federation, server={"population": 4, "min_clients": 4}) as one:
        users = {"ann": None, "ben": dies_in_training, "cas": is_late, "dee": changes_its_mind}
        homes = {user: one.device(user, enrolled=False) for user in users}
        one.enroll(*homes.values())
        server = one.start_server()
        clients = {user: one.start_client(homes[user], behave) for user, behave in users.items()}
        until(lambda: len(one.rows()) >= 1, "the first round is released")
        (row,) = one.rows()
        assert row["clients"] == 1, "only the honest one was in time"
        assert row["refused"] in (1, 2), (
            "the one who withdrew says so; the SuperLink may miss the one who died"
        )
        assert exit_code(clients["ben"]) < 0
        assert releases(homes["ben"]) == releases(homes["dee"]) == 1, "what was charged stays charged"
        with DeviceStore.open(homes["dee"], Passphrase(SECRET)) as store:
            told = [entry.what for entry in store.journal()]
            assert told == ["consent given", "consent withdrawn"], "something left after it"
            plan = plan_of(one.deployment.invitation(), epsilon_limit=None)
            untrained = plan.personal.read(plan.model)
            assert np.array_equal(store.any_adapter(), untrained), "what was learned after it was kept"
        with DeviceStore.open(homes["ann"], Passphrase(SECRET)) as store:
            erase(store)
        assert exit_code(clients["ann"]) == 2, "a client goes on for a person who erased the device"
        assert {file.name for file in homes["ann"].iterdir()} == {FILE}
        server.terminate()
        assert exit_code(server) == 130
        assert [row["round"] for row in one.rows()] in ([1], [1, 2])
