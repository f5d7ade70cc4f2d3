"""Accuracy by group is charged before it exists, released once, and nothing else about people is released."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from penchant.cli import main
from penchant.privacy.charges import Charges
from penchant.privacy.checks import UNSIGNED_CHECKS
from penchant.privacy.custody import open_run_ledger
from penchant.privacy.events import GaussianSum
from penchant.privacy.ledger import Budget, Ledger, read_ledger
from penchant.privacy.verify import verify
from penchant.rundir import RunDirectory
from penchant.simulation.run import simulate
from penchant.simulation.settings import RunSettings, load_settings
from penchant.types import Unit


def _settings(shop: Path, *assignments: str) -> RunSettings:
    small = ("model.width=4", "encoder.whiten_rank=8", "privacy.delta=0.001", "privacy.epsilon=20.0")
    terms = ("federation.rounds=2", "privacy.metrics_share=0.5", "training.final_adapter_steps=0")
    return load_settings(None, {"data": str(shop)}, (*small, *terms, *assignments))


def _doubts(run: RunDirectory) -> dict[str, str]:
    findings = verify(run, UNSIGNED_CHECKS, key=None, witness=None).findings
    return {f.check: f.detail for f in findings if not f.ok and f.check != "configuration"}


def _purposes(run: RunDirectory) -> list[str]:
    return [charge.purpose for charge in Charges(read_ledger(run.ledger_path)).all()]


def test_a_share_of_the_budget_pays_for_accuracy_by_group(shop: Path, tmp_path: Path) -> None:
    run = simulate(_settings(shop), tmp_path / "run")
    assert _purposes(run) == ["update", "update", "metrics"]
    released = json.loads(run.released_path.read_text())
    assert released["noise_multiplier"] == run.read_settings()["privacy"]["metrics_noise_multiplier"]
    assert [group["attribute"] for group in released["groups"]] == [
        "everybody"
    ]  # quarters of activity move together
    assert _doubts(run) == {}
    assert main(["report", str(run.root), "--format", "json"]) == 0
    said = json.loads(run.report_json_path.read_text())
    assert said["statement"]["releases_by_purpose"] == {"metrics": 1, "update": 2}
    assert said["statement"]["released"]["groups"] == released["groups"]
    assert "all exact accuracy, group figures and costs in this report" in " ".join(
        said["privacy"]["not_covered"]
    )
    assert "Released besides the model" in run.report_html_path.read_text()


def test_without_a_share_nothing_is_released(shop: Path, tmp_path: Path) -> None:
    run = simulate(_settings(shop, "privacy.metrics_share=0.0"), tmp_path / "run")
    assert _purposes(run) == ["update", "update"]
    assert not run.released_path.exists()
    assert _doubts(run) == {}


def test_figures_that_were_not_charged_or_changed_are_seen(shop: Path, tmp_path: Path) -> None:
    run = simulate(_settings(shop), tmp_path / "run")
    run.released_path.write_text(run.released_path.read_text().replace("0.", "0.1", 1) + " ")
    assert "not what the ledger charged for metrics" in _doubts(run)["results"]
    run.released_path.unlink()
    assert "not what the ledger charged for metrics" in _doubts(run)["results"]
    free = simulate(_settings(shop, "privacy.metrics_share=0.0"), tmp_path / "free")
    free.released_path.write_text("{}")
    assert "not what the ledger charged for metrics" in _doubts(free)["results"]


def test_a_purpose_that_nobody_stated_is_seen(shop: Path, tmp_path: Path) -> None:
    run = simulate(_settings(shop, "privacy.metrics_share=0.0"), tmp_path / "run")
    with open_run_ledger(run.ledger_path, run.read_settings(), environment={}) as ledger:
        ledger.reserve(
            3, GaussianSum(50.0, Unit.USER), budget=Budget(1e9, 1e-3), reproducible=False, purpose="losses"
        )
    assert "charges for 'losses'" in _doubts(run)["events"]


@pytest.mark.parametrize("step", ["persisted", "released", "published"])
def test_killed_at_any_step_the_figures_are_drawn_again_only_where_nobody_saw_them(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    honest: Callable[..., None] = getattr(Ledger, step)

    def killed(self: Ledger, charge: int, *rest: str) -> None:
        if self.charges.get(charge).purpose == "metrics":
            raise KeyboardInterrupt
        honest(self, charge, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, step, killed)
        with pytest.raises(KeyboardInterrupt):
            simulate(_settings(shop), tmp_path / "run")
    before = RunDirectory(tmp_path / "run").released_path.read_bytes()
    run = simulate(_settings(shop), tmp_path / "run", resume=True)
    assert _purposes(run) == ["update", "update", "metrics"]
    assert (run.released_path.read_bytes() == before) is (step != "persisted")
    assert "results" not in _doubts(run)
