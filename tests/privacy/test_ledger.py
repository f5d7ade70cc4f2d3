"""Whatever happens, the ledger shows at least what got out, and nobody rewrites it unseen."""

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.errors import BadInput, BudgetExceeded, CheckFailed, EnvironmentMissing
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.charges import Charge, Charges, State
from penchant.privacy.events import GaussianSum, PoissonGaussianSum
from penchant.privacy.ledger import Budget, Ledger, read_ledger
from penchant.types import NoiseAt, Unit

EVENT = GaussianSum(4.65, Unit.USER)
BUDGET = Budget(8.0, 1e-5)
TERMS: dict[str, Any] = {"budget": BUDGET, "reproducible": False}
STEPS = ["reserved", "drawn", "stored", "persisted", "released", "sent", "published"]


def _ledger(path: Path) -> Ledger:
    return Ledger(path / "ledger.sqlite", run_id="run")


def _charges(path: Path) -> Charges:
    return Charges(read_ledger(path / "ledger.sqlite"))


def _reserve(ledger: Ledger, round_: int, **terms: Any) -> Charge:
    return ledger.reserve(round_, EVENT, **{**TERMS, **terms})


def _finish(ledger: Ledger, charge: Charge) -> None:
    ledger.persisted(charge.id, "ab" * 32)
    ledger.released(charge.id)
    ledger.published(charge.id)


def test_a_round_goes_through_its_states_and_survives_closing(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        _finish(ledger, _reserve(ledger, 1))
    (charge,) = _charges(tmp_path).all()
    assert (charge.state, charge.round, charge.event) == (State.PUBLISHED, 1, EVENT)
    assert charge.result == "ab" * 32


@pytest.mark.parametrize("reached", ["reserved", "persisted", "aborted"])
def test_everything_reserved_counts_for_ever(tmp_path: Path, reached: str) -> None:
    with _ledger(tmp_path) as ledger:
        charge = _reserve(ledger, 1)
        if reached == "persisted":
            ledger.persisted(charge.id, "00" * 32)
        if reached == "aborted":
            ledger.aborted(charge.id, reason="test")
        assert ledger.charges.spent() == [EVENT]


def test_the_round_that_would_exceed_the_budget_is_not_charged(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        for round_ in range(1, 61):
            _reserve(ledger, round_)
        assert ledger.epsilon(delta=1e-5) == pytest.approx(8.0, rel=1e-3)
        with pytest.raises(BudgetExceeded, match="round 61 would reach epsilon 8"):
            _reserve(ledger, 61)
        assert len(ledger.charges.spent()) == 60


def test_each_person_pays_for_their_own_rounds_and_the_dearest_decides(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        for round_, people in enumerate([["a", "b"], ["a"], ["a", "c"]], start=1):
            _reserve(ledger, round_, people=people)
        assert [len(ledger.charges.spent(person)) for person in "abcd"] == [3, 1, 1, 0]
        assert len(ledger.charges.spent()) == 3
        tight = Budget(ledger.epsilon(delta=1e-5) + 1e-6, 1e-5)
        with pytest.raises(BudgetExceeded):
            _reserve(ledger, 4, people=["a", "d"], budget=tight)
        _reserve(ledger, 4, people=["b", "d"], budget=tight)


def test_a_life_of_several_runs_and_devices_adds_up_and_people_do_not(tmp_path: Path) -> None:
    """One pseudonym, two devices, two runs: one budget. Others' spending is not added: a run costs the maximum."""
    path, event, limit = tmp_path / "life.sqlite", GaussianSum(4.65, Unit.USER), Budget(3.0, 1e-5)
    devices = {"phone": "ann", "laptop": "ann", "tablet": "ben"}
    with Ledger(path, run_id="first") as ledger:
        for round_, device in enumerate(("phone", "laptop", "phone", "tablet"), start=1):
            ledger.reserve(round_, event, budget=limit, reproducible=False, people=[devices[device]])
    with Ledger(path, run_id="second") as ledger:
        for round_ in range(1, 9):
            ledger.reserve(round_, event, budget=limit, reproducible=False, people=["ann"])
        with pytest.raises(BudgetExceeded):
            ledger.reserve(9, event, budget=limit, reproducible=False, people=["ann"])
        ledger.reserve(9, event, budget=limit, reproducible=False, people=["ben"])  # others go on

        def price(count: int) -> float:
            return PLDAccountant().epsilon([event] * count, delta=1e-5)

        assert ledger.epsilon(delta=1e-5, person="ann") == ledger.epsilon(delta=1e-5) == price(11)
        assert ledger.epsilon(delta=1e-5, person="ben") == price(2)


def test_a_secret_sample_is_never_named(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger, pytest.raises((BadInput, CheckFailed), match="secret sample"):
        ledger.reserve(
            1, PoissonGaussianSum(0.1, 2.0, Unit.USER), budget=BUDGET, reproducible=False, people=["a"]
        )


def test_no_state_is_skipped_or_gone_back_to(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        charge = _reserve(ledger, 1)
        for step in (ledger.released, ledger.published):
            with pytest.raises(CheckFailed, match="cannot become"):
                step(charge.id)
        _finish(ledger, charge)
        with pytest.raises(CheckFailed, match="cannot become"):
            ledger.aborted(charge.id, reason="too late")
        with pytest.raises(BadInput, match="never reserved"):
            ledger.persisted(99, "00" * 32)


def test_a_round_is_released_at_most_once(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        first = _reserve(ledger, 1)
        second = _reserve(ledger, 1)
        _finish(ledger, first)
        ledger.persisted(second.id, "cd" * 32)
        with pytest.raises(CheckFailed, match="released before"):
            ledger.released(second.id)


def test_rounds_never_go_backwards(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        _reserve(ledger, 2)
        with pytest.raises(CheckFailed, match="round 1 comes after round 2"):
            _reserve(ledger, 1)


# Crashes


def _world(path: Path) -> list[str]:
    """What anybody outside has seen: one line a sending."""
    file = path / "world"
    return file.read_text().splitlines() if file.exists() else []


def _server(path: Path, rounds: int, die_at: tuple[int, str] | None, noise_at: NoiseAt) -> None:
    """The server's loop, in the order that the ledger asks for; kills itself without warning where it is told to."""
    with _ledger(path) as ledger:
        start = len(set(_world(path)))
        for round_ in range(max(start, 1), rounds + 1):

            def reach(step: str, now: int = round_) -> None:
                if die_at == (now, step):
                    os.kill(os.getpid(), signal.SIGKILL)

            stored = path / f"value-{round_}"
            kept = [c for c in ledger.charges.all() if c.round == round_ and c.result is not None]
            charge = kept[-1] if kept else ledger.resume(round_, EVENT, noise_at=noise_at, **TERMS)
            reach("reserved")
            if charge.state is State.RESERVED:
                value = f"{round_}:{os.urandom(8).hex()}"
                reach("drawn")
                stored.write_text(value)
                reach("stored")
                ledger.persisted(charge.id, "00" * 32)
                reach("persisted")
            if ledger.charges.get(charge.id).state is State.PERSISTED:
                ledger.released(charge.id)
                reach("released")
            if ledger.charges.get(charge.id).state is State.RELEASED:
                with (path / "world").open("a") as world:
                    world.write(stored.read_text() + "\n")
                reach("sent")
                ledger.published(charge.id)
                reach("published")


def _in_child(work: Callable[[], None]) -> int:
    """Run in a forked process. Returns its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("noise_at", list(NoiseAt))
@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_the_ledger_never_shows_less_than_was_seen(
    tmp_path: Path, step: str, noise_at: NoiseAt
) -> None:
    assert _in_child(lambda: _server(tmp_path, 3, (2, step), noise_at)) == -signal.SIGKILL
    assert len(_charges(tmp_path).spent()) >= len(set(_world(tmp_path)))

    assert _in_child(lambda: _server(tmp_path, 3, None, noise_at)) == 0
    seen = set(_world(tmp_path))
    assert sorted(value.split(":")[0] for value in seen) == [
        "1",
        "2",
        "3",
    ]  # one value a round, however often sent
    spent = len(_charges(tmp_path).spent())
    left_before_persisting = step in ("reserved", "drawn", "stored") and noise_at is NoiseAt.CLIENT
    assert spent == (4 if left_before_persisting else 3)


def test_a_planted_charge_after_the_release_is_caught_by_that_test(tmp_path: Path) -> None:
    """The mistake: send first, charge later. Killed in between, the world knows what the ledger does not."""

    def careless() -> None:
        with _ledger(tmp_path) as ledger:
            (tmp_path / "world").write_text("1:value\n")
            os.kill(os.getpid(), signal.SIGKILL)
            _finish(ledger, _reserve(ledger, 1))

    assert _in_child(careless) == -signal.SIGKILL
    assert len(_charges(tmp_path).spent()) < len(_world(tmp_path))


@settings(max_examples=15, deadline=None)
@given(cut=st.floats(0, 1))
def test_a_torn_write_ahead_log_loses_whole_entries_only(
    tmp_path_factory: pytest.TempPathFactory, cut: float
) -> None:
    path = tmp_path_factory.mktemp("torn")

    def killed() -> None:
        ledger = _ledger(path)
        for round_ in range(1, 4):
            _reserve(ledger, round_)
        os.kill(os.getpid(), signal.SIGKILL)

    assert _in_child(killed) == -signal.SIGKILL
    log = path / "ledger.sqlite-wal"
    os.truncate(log, int(cut * log.stat().st_size))
    (path / "ledger.sqlite-shm").unlink()
    with _ledger(path) as ledger:
        assert [charge.round for charge in ledger.charges.all()] in ([], [1], [1, 2], [1, 2, 3])


def test_after_a_crash_a_changed_round_is_charged_on_its_new_terms(tmp_path: Path) -> None:
    other = GaussianSum(5.0, Unit.USER)
    with _ledger(tmp_path) as ledger:
        _reserve(ledger, 1)
    with _ledger(tmp_path) as ledger:
        charge = ledger.resume(1, other, budget=BUDGET, reproducible=False, noise_at=NoiseAt.SERVER)
        assert charge.event == other
        assert sorted(event.noise_multiplier for event in ledger.charges.spent()) == [4.65, 5.0]


@pytest.mark.parametrize("noise_at", list(NoiseAt))
def test_a_persisted_value_that_is_lost_is_drawn_again_at_a_new_charge(
    tmp_path: Path, noise_at: NoiseAt
) -> None:
    with _ledger(tmp_path) as ledger:
        lost = _reserve(ledger, 1)
        ledger.persisted(lost.id, "00" * 32)
        again = ledger.resume(1, EVENT, noise_at=noise_at, **TERMS)
        assert again.id != lost.id
        assert len(ledger.charges.spent()) == 2
        _finish(ledger, again)
        with pytest.raises(CheckFailed, match="cannot be drawn again"):
            ledger.resume(1, EVENT, noise_at=noise_at, **TERMS)


def test_reproducible_noise_of_clients_comes_out_the_same_and_is_charged_once(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        first = _reserve(ledger, 1, reproducible=True)
        again = ledger.resume(1, EVENT, budget=BUDGET, reproducible=True, noise_at=NoiseAt.CLIENT)
        assert again == first


# Tampering


def _tamper(path: Path, statement: str) -> None:
    with sqlite3.connect(path / "ledger.sqlite") as database:
        database.execute("DROP TRIGGER no_update")
        database.execute("DROP TRIGGER no_delete")
        database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE entries SET body = replace(body, '4.65', '9.65') WHERE number = 4", "entry 4 was edited"),
        ("DELETE FROM entries WHERE number = 3", "entry 3 is missing"),
        ("UPDATE entries SET hash = printf('%064d', 7) WHERE number = 2", "entry 2 was edited"),
        ("UPDATE entries SET previous = hash WHERE number = 3", "entry 3 does not follow"),
        ("UPDATE entries SET number = -number WHERE number IN (2, 3)", "entry 1 is missing"),
    ],
)
def test_the_first_wrong_entry_is_named(tmp_path: Path, statement: str, named: str) -> None:
    with _ledger(tmp_path) as ledger:
        for round_ in range(1, 6):
            _reserve(ledger, round_)
    _tamper(tmp_path, statement)
    with pytest.raises(CheckFailed, match=named):
        read_ledger(tmp_path / "ledger.sqlite")
    with pytest.raises(CheckFailed, match=named):
        _ledger(tmp_path)


@pytest.mark.parametrize("statement", ["UPDATE entries SET body = ''", "DELETE FROM entries"])
def test_the_file_itself_refuses_to_forget(tmp_path: Path, statement: str) -> None:
    with _ledger(tmp_path) as ledger:
        _reserve(ledger, 1)
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)
    database.close()


def test_a_second_writer_is_turned_away_and_the_lock_goes_with_the_first(tmp_path: Path) -> None:
    with _ledger(tmp_path), pytest.raises(BadInput, match="another process"):
        _ledger(tmp_path)
    with _ledger(tmp_path):
        pass


def test_a_writer_that_ignores_the_lock_is_noticed(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        _reserve(ledger, 1)
        (tmp_path / "ledger.sqlite.lock").unlink()
        with _ledger(tmp_path) as intruder:
            _reserve(intruder, 2)
        with pytest.raises(CheckFailed, match="somebody else wrote"):
            _reserve(ledger, 2)


def test_readers_read_while_it_is_written(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        _reserve(ledger, 1)
        assert len(_charges(tmp_path).all()) == 1


def test_a_full_disk_stops_before_the_release(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        pages = ledger._file._database.execute("PRAGMA page_count").fetchone()[0]
        ledger._file._database.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(EnvironmentMissing, match="full"):
            [_reserve(ledger, round_) for round_ in range(1, 60)]
        shown = len(ledger.charges.spent())
    assert len(_charges(tmp_path).spent()) == shown


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(CheckFailed, match="damaged"):
        _ledger(tmp_path)
    with pytest.raises(BadInput, match="no ledger here"):
        read_ledger(tmp_path / "elsewhere.sqlite")
