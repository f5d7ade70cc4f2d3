"""An audit holds for an honest run, and names what is wrong with any other."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from penchant.cli import main
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.chain import seal
from penchant.privacy.checks import CHECKS
from penchant.privacy.configuration import configuration_digest
from penchant.privacy.custody import open_run_ledger
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.privacy.keys import PublicKey, SigningKey
from penchant.privacy.ledger import Budget, Ledger
from penchant.privacy.ledger_file import LedgerFile
from penchant.privacy.verify import Finding, verify
from penchant.privacy.witness import Witness
from penchant.rundir import RunDirectory, write_atomically
from penchant.types import Unit

DELTA, ROUNDS, PASSPHRASE = 1e-5, 6, "correct horse"


def _record(**privacy: Any) -> dict[str, Any]:
    stated = {
        "unit": "user",
        "noise_at": "server",
        "noise_multiplier": 4.65,
        "clip_bound": 0.1,
        "epsilon_limit": 8.0,
        "delta": DELTA,
        "rounds": ROUNDS,
        "sampling": "all",
        "sampling_rate": None,
        "reproducible_noise": False,
    }
    return {
        "settings": {"federation": {"cohort": 10, "rounds": ROUNDS}},
        "seed": 0,
        "versions": {"penchant": "0.1.0"},
        "dataset": {"n_users": 100},
        "catalogue_digest": "aa",
        "encoder": {},
        "code": {"commit": "abc", "dirty": False},
        "privacy": stated | privacy,
        "model": {"shared_tensors": {"shared.head": [2, 3]}},
        "started_at": "2026-01-01T00:00:00+00:00",
        "finished_at": "2026-01-01T01:00:00+00:00",
    }


class _World:
    """A run as a simulation leaves it, and what an auditor holds besides."""

    def __init__(self, path: Path) -> None:
        self.run = RunDirectory(path / "run")
        self.key_path = path / "key.pem"
        self.heads = path / "heads" / "2026-01-01T00-00-00-00-00.jsonl"
        self.environment = {
            "PENCHANT_SIGNING_KEY": str(self.key_path),
            "PENCHANT_PASSPHRASE": PASSPHRASE,
            "PENCHANT_WITNESS": str(path / "heads"),
        }

    def ledger(self, record: dict[str, Any]) -> Ledger:
        return open_run_ledger(self.run.ledger_path, record, environment=self.environment)

    def play(
        self,
        record: dict[str, Any],
        event: PrivacyEvent,
        *,
        clients: Callable[[int], int],
        reproducible: bool = False,
    ) -> None:
        self.run.write_settings(record)
        spent: list[PrivacyEvent] = []
        with self.ledger(record) as ledger:
            for round_ in range(1, ROUNDS + 1):
                charge = ledger.reserve(
                    round_, event, budget=Budget(1e9, DELTA), reproducible=reproducible
                ).id
                ledger.persisted(charge, self.checkpoint(round_))
                ledger.released(charge)
                ledger.published(charge)
                spent.append(event)
                epsilon = PLDAccountant().epsilon(spent, delta=DELTA)
                self.run.append_metrics({"round": round_, "clients": clients(round_), "epsilon": epsilon})
        write_atomically(self.run.shared_path, save({"shared.head": np.zeros((2, 3), np.float32)}))

    def checkpoint(self, round_: int) -> str:
        content = save({"head": np.full(6, round_, np.float32)})
        write_atomically(self.run.checkpoints / f"round-{round_:06d}-x.safetensors", content)
        return hashlib.sha256(content).hexdigest()

    @property
    def key(self) -> PublicKey:
        return PublicKey.read(f"{self.key_path}.pub")

    def doubts(self, **terms: Any) -> list[Finding]:
        given: dict[str, Any] = {"key": self.key, "witness": Witness(self.heads)} | terms
        return [f for f in verify(self.run, CHECKS, **given).findings if not f.ok]

    def tamper(self, *statements: str) -> None:
        database = sqlite3.connect(self.run.ledger_path)
        for statement in ("DROP TRIGGER no_update", "DROP TRIGGER no_delete", *statements):
            database.execute(statement)
        database.commit()
        database.close()

    def rewrite(self, path: Path, change: Callable[[str], str]) -> None:
        path.write_text(change(path.read_text()))


@pytest.fixture
def world(tmp_path: Path) -> _World:
    made = _World(tmp_path)
    SigningKey.new().write(made.key_path, passphrase=PASSPHRASE)
    return made


@pytest.fixture
def honest(world: _World) -> _World:
    world.play(_record(), GaussianSum(4.65, Unit.USER), clients=lambda round_: 100)
    return world


def test_an_honest_run_holds(honest: _World) -> None:
    assert honest.doubts() == []


def test_reading_a_run_changes_nothing(honest: _World) -> None:
    before = {path: path.stat().st_mtime_ns for path in honest.run.root.rglob("*") if path.is_file()}
    honest.doubts()
    assert {path: path.stat().st_mtime_ns for path in honest.run.root.rglob("*") if path.is_file()} == before


CHAIN_FAULTS = {
    "an edited value": (
        ("UPDATE entries SET body = replace(body, '4.65', '9.65') WHERE number = 6",),
        "entry 6 was edited",
    ),
    "reordered entries": (
        (
            "UPDATE entries SET number = 100 WHERE number = 4",
            "UPDATE entries SET number = 4 WHERE number = 8",
            "UPDATE entries SET number = 8 WHERE number = 100",
        ),
        "entry 4 does not follow entry 3",
    ),
    "a deleted entry": (("DELETE FROM entries WHERE number = 7",), "entry 7 is missing"),
}


@pytest.mark.parametrize("fault", CHAIN_FAULTS)
def test_a_broken_chain_is_named(honest: _World, fault: str) -> None:
    statements, named = CHAIN_FAULTS[fault]
    honest.tamper(*statements)
    (doubt,) = honest.doubts()
    assert doubt.check == "chain"
    assert named in doubt.detail


def test_truncated_entries_are_seen_by_witness_and_metrics(honest: _World) -> None:
    honest.tamper("DELETE FROM entries WHERE number > 17")
    doubts = {doubt.check: doubt.detail for doubt in honest.doubts()}
    assert "ends at entry 17" in doubts["witness"]
    assert "metrics.jsonl shows round [5]" in doubts["rounds"]


def test_an_old_copy_of_everything_in_the_run_is_seen_by_the_witness(world: _World) -> None:
    world.play(_record(), GaussianSum(4.65, Unit.USER), clients=lambda round_: 100)
    old = world.run.root.with_name("old")
    shutil.copytree(world.run.root, old)
    with world.ledger(_record()) as ledger:
        charge = ledger.reserve(
            7, GaussianSum(4.65, Unit.USER), budget=Budget(1e9, DELTA), reproducible=False
        ).id
        ledger.persisted(charge, "00" * 32)
        ledger.released(charge)
    shutil.rmtree(world.run.root)
    old.rename(world.run.root)
    assert [doubt.check for doubt in world.doubts()] == ["witness"]


def test_another_key_than_the_trusted_one(honest: _World) -> None:
    (doubt,) = honest.doubts(key=SigningKey.new().public)
    assert (doubt.check, "entry 1 names key" in doubt.detail) == ("signatures", True)


def test_a_second_writer_without_the_key(honest: _World) -> None:
    """Somebody appends by hand, with right hashes: the signature is what they lack."""
    file = LedgerFile(honest.run.ledger_path)
    last = file.entries[-1]
    file.append(seal({**last.content, "state": "aborted"}, after=last))
    file.close()
    assert "cannot become" in honest.doubts()[0].detail

    honest.tamper("DELETE FROM entries WHERE number = 26")
    file = LedgerFile(honest.run.ledger_path)
    reservation = file.entries[-4].content | {"round": 7}
    file.append(seal(reservation, after=file.entries[-1]))
    file.close()
    doubts = {doubt.check: doubt.detail for doubt in honest.doubts()}
    assert "entry 26 is not signed" in doubts["signatures"]


def test_nobody_signed_or_witnessed(world: _World) -> None:
    world.environment = {}
    world.play(_record(), GaussianSum(4.65, Unit.USER), clients=lambda round_: 100)
    doubts = {doubt.check: doubt.detail for doubt in world.doubts(key=None, witness=None)}
    assert set(doubts) == {"signatures", "witness"}
    assert "nobody signed" in doubts["signatures"]


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ('"clip_bound": 0.1', '"clip_bound": 0.01', "configuration"),
        ('"dirty": false', '"dirty": true', "configuration"),
        ('"noise_multiplier": 4.65', '"noise_multiplier": 9.3', "events"),
        ('"epsilon_limit": 8.0', '"epsilon_limit": 1.0', "epsilon"),
        ('"unit": "user"', '"unit": "event"', "events"),
    ],
)
def test_a_changed_configuration(honest: _World, old: str, new: str, check: str) -> None:
    honest.rewrite(honest.run.settings_path, lambda text: text.replace(old, new))
    assert {"configuration", check} <= {doubt.check for doubt in honest.doubts()}


def test_an_epsilon_that_the_ledger_does_not_bear_out(honest: _World) -> None:
    rows = honest.run.read_metrics()
    rows[3]["epsilon"] = 1.0
    honest.run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (doubt,) = honest.doubts()
    assert (doubt.check, "says epsilon 1.0000 after round 4" in doubt.detail) == ("epsilon", True)


def test_rounds_left_out_of_the_metrics(honest: _World) -> None:
    honest.rewrite(honest.run.metrics_path, lambda text: "".join(text.splitlines(keepends=True)[:3]))
    (doubt,) = honest.doubts()
    assert (doubt.check, "round 6 was released" in doubt.detail) == ("rounds", True)


def test_noise_that_can_be_drawn_again(world: _World) -> None:
    world.play(_record(), GaussianSum(4.65, Unit.USER), clients=lambda round_: 100, reproducible=True)
    (doubt,) = world.doubts()
    assert (doubt.check, "protects nobody" in doubt.detail) == ("events", True)


def test_a_personal_tensor_in_the_head(honest: _World) -> None:
    tensors = {"shared.head": np.zeros((2, 3), np.float32), "personal.user": np.zeros(2, np.float32)}
    write_atomically(honest.run.shared_path, save(tensors))
    (doubt,) = honest.doubts()
    assert (doubt.check, "personal.user" in doubt.detail) == ("tensors", True)


def test_a_head_that_was_not_charged(honest: _World) -> None:
    write_atomically(
        honest.run.checkpoints / "round-000006-x.safetensors", save({"head": np.ones(6, np.float32)})
    )
    (doubt,) = honest.doubts()
    assert (doubt.check, "round 6" in doubt.detail) == ("results", True)


def _poisson(world: _World, clients: Callable[[int], int]) -> list[Finding]:
    record = _record(sampling="poisson", sampling_rate=0.1, epsilon_limit=None)
    world.play(record, PoissonGaussianSum(0.1, 4.65, Unit.USER), clients=clients)
    return world.doubts()


def test_cohorts_of_independent_draws_hold(world: _World) -> None:
    drawn = np.random.default_rng(0).binomial(100, 0.1, ROUNDS)
    assert _poisson(world, lambda round_: int(drawn[round_ - 1])) == []


def test_cohorts_larger_than_the_rate(world: _World) -> None:
    (doubt,) = _poisson(world, lambda round_: 30 + round_)
    assert (doubt.check, "rate 0.1 gives 10.0" in doubt.detail) == ("sampling", True)


def test_fixed_cohorts_sold_as_poisson(world: _World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penchant.privacy.checks._SIGMAS", 3.5)  # six rounds tell less than a run's sixty
    (doubt,) = _poisson(world, lambda _: 10)
    assert (doubt.check, "fixed cohort" in doubt.detail) == ("sampling", True)


def test_amplification_claimed_for_everybody(world: _World) -> None:
    world.play(_record(), PoissonGaussianSum(0.1, 4.65, Unit.USER), clients=lambda round_: 100)
    assert {"events", "sampling"} <= {doubt.check for doubt in world.doubts()}


def test_a_run_that_protects_nobody(world: _World) -> None:
    world.run.write_settings(_record(unit="none"))
    (doubt,) = world.doubts()
    assert "NOT PRIVATE" in doubt.detail


def test_the_command_says_it_and_exits_with_it(honest: _World, capsys: pytest.CaptureFixture[str]) -> None:
    trusted = ["--key", f"{honest.key_path}.pub", "--witness", str(honest.heads)]
    assert main(["audit", "verify", str(honest.run.root), *trusted, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "holds"

    honest.tamper("DELETE FROM entries WHERE number = 7")
    assert main(["audit", "verify", str(honest.run.root), *trusted]) == 1
    assert "entry 7 is missing" in capsys.readouterr().out

    assert main(["audit", "verify", str(honest.run.root / "elsewhere")]) == 2
    assert main(["audit", "verify", str(honest.run.root), "--key", "123"]) == 2


def test_a_simulation_may_be_accepted_unsigned(world: _World, capsys: pytest.CaptureFixture[str]) -> None:
    world.environment = {}
    world.play(_record(), GaussianSum(4.65, Unit.USER), clients=lambda round_: 100)
    assert main(["audit", "verify", str(world.run.root), "--quiet"]) == 1
    assert "nobody signed" in capsys.readouterr().out
    assert main(["audit", "verify", str(world.run.root), "--allow-unsigned"]) == 0


def test_a_key_without_its_passphrase_is_asked_for(world: _World) -> None:
    world.environment.pop("PENCHANT_PASSPHRASE")
    with pytest.raises(Exception, match="PENCHANT_PASSPHRASE"):
        world.ledger(_record())


def test_the_digest_covers_every_fixed_field() -> None:
    record = _record()
    whole = configuration_digest(record)
    assert configuration_digest(record | {"finished_at": None, "cost": {}}) == whole
    for field in set(record) - {"finished_at"}:
        assert configuration_digest(record | {field: "other"}) != whole


def test_keys_are_made_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PENCHANT_PASSPHRASE", PASSPHRASE)
    assert main(["keys", "new", str(tmp_path / "key.pem"), "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert SigningKey.read(tmp_path / "key.pem", passphrase=PASSPHRASE).public.text == record["public_key"]
    assert main(["keys", "new", str(tmp_path / "key.pem")]) == 2
