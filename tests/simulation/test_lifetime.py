"""Several runs on the same people add up, and whoever has spent their budget is left out alone."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from penchant.errors import BadInput, BudgetExceeded
from penchant.privacy.charges import Charges
from penchant.privacy.checks import UNSIGNED_CHECKS
from penchant.privacy.events import GaussianSum
from penchant.privacy.ledger import Budget, Ledger, read_ledger
from penchant.privacy.verify import verify
from penchant.rundir import RunDirectory
from penchant.simulation.run import simulate
from penchant.simulation.settings import RunSettings, load_settings
from penchant.types import Unit

PEOPLE, Z = 22, 2.0
"""Two releases at this multiplier cost 1.459 at delta = 0.01, three cost 1.911: two fit into a lifetime's 1.5."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    lines = [f"u{u:02d},i{(u + 3 * day) % 10},{1_000_000 + day}" for u in range(PEOPLE) for day in range(6)]
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    (folder / "items.csv").write_text("item_id,title\n" + "".join(f"i{i},Film {i}\n" for i in range(10)))
    return folder


def _settings(shop: Path, account: Path, *assignments: str) -> RunSettings:
    small = ("model.width=4", "encoder.whiten_rank=8", "privacy.delta=0.01", "privacy.epsilon=null")
    terms = (f"privacy.noise_multiplier={Z}", f"account={account}", "lifetime_epsilon=1.5", "privacy.band=1")
    return load_settings(None, {"data": str(shop)}, (*small, *terms, *assignments))


def _turns(rounds: int) -> tuple[str, ...]:
    return (f"federation.rounds={rounds}", "federation.cohort=5", "federation.sampling=rotation")


def _taking_part(run: RunDirectory) -> dict[int, set[str]]:
    charges = Charges(read_ledger(run.ledger_path)).all()
    return {charge.round: set(charge.people or ()) for charge in charges}


def _group(round_: int) -> set[str]:
    return {str(person) for person in range(PEOPLE) if (round_ - 1 - person) % 4 == 0}


def test_whoever_spent_their_budget_is_left_out_and_the_round_goes_on(shop: Path, tmp_path: Path) -> None:
    account = tmp_path / "people.sqlite"
    names = "\n".join(f"u{person:02d}" for person in range(PEOPLE))
    spent = Budget(epsilon=100, delta=0.01)
    with Ledger(
        account, run_id="another", configuration=hashlib.sha256(names.encode()).hexdigest()
    ) as earlier:
        for round_ in range(1, 3):
            earlier.reserve(
                round_, GaussianSum(Z, Unit.USER), budget=spent, reproducible=False, people=["0", "5"]
            )
    run = simulate(_settings(shop, account, *_turns(4)), tmp_path / "run")
    took_part = _taking_part(run)
    assert took_part == {1: _group(1) - {"0"}, 2: _group(2) - {"5"}, 3: _group(3), 4: _group(4)}
    assert [row["clients"] for row in run.read_metrics()] == [5, 5, 5, 5]
    assert (pl.read_parquet(run.people_path)["rank"] > 0).all(), "everybody still gets recommendations"
    doubts = [f for f in verify(run, UNSIGNED_CHECKS, key=None, witness=None).findings if not f.ok]
    assert {doubt.check for doubt in doubts} <= {"configuration"}


def test_runs_add_up_by_person(shop: Path, tmp_path: Path) -> None:
    """Two turns fit into what one person may spend: the first run takes one of group 1, the second one of each."""
    account = tmp_path / "people.sqlite"
    simulate(_settings(shop, account, *_turns(1)), tmp_path / "first")
    second = simulate(_settings(shop, account, *_turns(8)), tmp_path / "second")
    took_part = _taking_part(second)
    assert [len(took_part[round_]) for round_ in range(1, 9)] == [6, 6, 5, 5, 0, 6, 5, 5]
    assert [row["clients"] for row in second.read_metrics()] == [6, 6, 5, 5, 0, 6, 5, 5]
    charges = Charges(read_ledger(account))
    assert [charges.history(person).total() for person in charges.people()] == [2] * PEOPLE


def test_two_runs_that_start_in_one_second_both_pay(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their charges must not be taken for one that is drawn again."""
    monkeypatch.setattr("penchant.simulation.record.now", lambda: "2026-01-01T00:00:00+00:00")
    account = tmp_path / "people.sqlite"
    for name in ("first", "second"):
        simulate(_settings(shop, account, "federation.rounds=1"), tmp_path / name)
    assert [charge.round for charge in Charges(read_ledger(account)).all()] == [1, 1]


def test_where_everybody_pays_everybody_stops_and_keeps_the_last_head(shop: Path, tmp_path: Path) -> None:
    account = tmp_path / "people.sqlite"
    simulate(_settings(shop, account, "federation.rounds=1"), tmp_path / "first")
    with pytest.raises(BudgetExceeded, match=r"round 2 would reach epsilon 1\.911 > 1\.5"):
        simulate(_settings(shop, account, "federation.rounds=4"), tmp_path / "second")
    stopped = RunDirectory(tmp_path / "second")
    assert len(stopped.read_metrics()) == 1
    assert stopped.shared_path.is_file()
    assert [charge.round for charge in Charges(read_ledger(stopped.ledger_path)).all()] == [1]


def test_an_account_of_other_people_is_refused(shop: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "people.sqlite", run_id="another", configuration="of others"):
        pass
    with pytest.raises(BadInput, match="other people"):
        simulate(_settings(shop, tmp_path / "people.sqlite", "federation.rounds=1"), tmp_path / "run")
