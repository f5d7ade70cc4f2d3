"""Correlated noise, end to end: people take turns, pay by name, and an audit sees that they did."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penchant.cli import main
from penchant.config import FederationSettings, PrivacySettings
from penchant.errors import BadInput, CheckFailed
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.charges import Charges
from penchant.privacy.checks import UNSIGNED_CHECKS
from penchant.privacy.events import BandedGaussianSum
from penchant.privacy.ledger import read_ledger
from penchant.privacy.verify import verify
from penchant.rundir import RunDirectory
from penchant.simulation.run import simulate
from penchant.simulation.settings import RunSettings, load_settings
from penchant.strategies import Draw, draw_cohort, expected_cohort
from penchant.strategies import cohort as cohorts
from penchant.strategies import interest as strategy_module
from penchant.strategies.cohort import separation
from penchant.strategies.resolution import resolved
from penchant.types import NoiseAt, Sampling

ROUNDS = 8
TURNS = FederationSettings(rounds=ROUNDS, cohort=5, sampling=Sampling.ROTATION)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-two people, ten films."""
    folder = tmp_path_factory.mktemp("shop")
    lines = [f"u{u},i{(u + 3 * day) % 10},{1_000_000 + day}" for u in range(22) for day in range(6)]
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    (folder / "items.csv").write_text("item_id,title\n" + "".join(f"i{i},Film {i}\n" for i in range(10)))
    return folder


def _settings(shop: Path, *assignments: str) -> RunSettings:
    small = ("model.width=4", "encoder.whiten_rank=8", "privacy.delta=0.01", "privacy.epsilon=2.0")
    terms = (f"federation.rounds={ROUNDS}", "federation.cohort=5", "federation.sampling=rotation")
    return load_settings(None, {"data": str(shop)}, (*small, *terms, *assignments))


def _record(run: RunDirectory) -> dict[str, Any]:
    stated: dict[str, Any] = run.read_settings()["privacy"]
    return stated


def test_everybodys_rounds_lie_equally_far_apart_whoever_else_is_there() -> None:
    assert (separation(22, TURNS), expected_cohort(22, TURNS)) == (4, 6)
    rounds: dict[int, list[int]] = {person: [] for person in range(22)}
    for round_ in range(1, ROUNDS + 1):
        drawn = draw_cohort(range(22), TURNS, population=22, seed=round_, round_=round_, secret=False)
        assert drawn.payers == tuple(map(str, drawn.people))
        assert drawn.rate is None
        for person in drawn.people:
            rounds[person].append(round_)
    assert all(np.diff(turns).tolist() == [4] for turns in rounds.values())


@pytest.mark.parametrize("engine", ["cohort", "flower"])
def test_a_run_with_correlated_noise_pays_for_its_turns_alone_and_an_audit_agrees(
    shop: Path, tmp_path: Path, engine: str
) -> None:
    run = simulate(_settings(shop, f"engine={engine}"), tmp_path / "run")
    assert (_record(run)["separation"], _record(run)["band"]) == (4, 4)
    charges = Charges(read_ledger(run.ledger_path))
    z = _record(run)["noise_multiplier"]
    two_turns = [BandedGaussianSum(z, 4, charge.event.unit) for charge in charges.all()[:2]]
    assert [charges.history(person).total() for person in charges.people()] == [2] * 22
    spent = PLDAccountant().epsilon(charges.spent(), delta=0.01)
    assert spent == PLDAccountant().epsilon(two_turns, delta=0.01) == pytest.approx(2.0, rel=1e-3)
    assert run.read_metrics()[-1]["epsilon"] == pytest.approx(spent)
    doubts = [f for f in verify(run, UNSIGNED_CHECKS, key=None, witness=None).findings if not f.ok]
    assert {doubt.check for doubt in doubts} <= {"configuration"}  # a checkout with changes is doubted


@pytest.mark.parametrize(
    ("band", "kind"), [("null", "banded_gaussian_sum"), ("1", "gaussian_sum"), ("2", "banded_gaussian_sum")]
)
def test_the_band_is_a_setting(shop: Path, tmp_path: Path, band: str, kind: str) -> None:
    run = simulate(_settings(shop, f"privacy.band={band}"), tmp_path / "run")
    assert {charge.event.kind for charge in Charges(read_ledger(run.ledger_path)).all()} == {kind}


def test_a_band_longer_than_the_separation_and_noise_at_the_client_are_refused() -> None:
    with pytest.raises(BadInput, match="rounds lie 4 apart"):
        resolved(PrivacySettings(band=5, delta=0.01), TURNS, people=22)
    with pytest.raises(BadInput, match="rounds lie 1 apart"):
        resolved(PrivacySettings(band=2, delta=0.01), FederationSettings(), people=22)
    with pytest.raises(BadInput, match="unit user, noise at the server"):
        resolved(PrivacySettings(band=2, delta=0.01, noise_at=NoiseAt.CLIENT), TURNS, people=22)
    assert resolved(PrivacySettings(delta=0.01, noise_at=NoiseAt.CLIENT), TURNS, people=22).band == 1


def test_a_planted_turn_too_early_is_refused_before_anybody_is_asked(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = draw_cohort

    def everybody(*terms: Any, **more: Any) -> Draw:
        drawn = honest(*terms, **more)
        return Draw([*drawn.people, 0], payers=(*(drawn.payers or ()), "0"))

    monkeypatch.setattr(strategy_module, "draw_cohort", everybody)
    with pytest.raises(CheckFailed, match="somebody of round 1 takes part again in round 2"):
        simulate(_settings(shop), tmp_path / "run")
    charges = Charges(read_ledger(tmp_path / "run" / "ledger.sqlite"))
    assert [charge.round for charge in charges.all()] == [1]


def test_turns_that_are_not_those_of_the_rotation_are_seen_by_the_audit(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With independent noise the ledger has nothing to refuse; the audit compares with what was claimed."""
    monkeypatch.setattr(cohorts, "separation", lambda *_: 2)
    noise = ("privacy.band=1", "privacy.epsilon=null", "privacy.noise_multiplier=2.0")
    run = simulate(_settings(shop, *noise), tmp_path / "run")
    assert main(["audit", "verify", str(run.root), "--allow-unsigned", "--format", "json"]) == 1
    findings = {f["check"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert "had no turn in round 1" in findings["sampling"]["detail"]
