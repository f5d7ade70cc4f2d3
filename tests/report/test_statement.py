"""The privacy statement answers an auditor's questions, from the ledger and from what the controller signs off."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penchant.cli import main
from penchant.errors import BadInput
from penchant.privacy.events import GaussianSum
from penchant.privacy.ledger import Budget, Ledger
from penchant.report import Controller, page, read_controller, write_report
from penchant.rundir import RunDirectory, write_json
from penchant.types import Unit

MakeRun = Callable[..., RunDirectory]


def _statement(run: RunDirectory, **terms: Any) -> dict[str, Any]:
    found: dict[str, Any] = write_report(run, **terms)["statement"]
    return found


def test_every_figure_stands_with_what_it_needs(make_run: MakeRun) -> None:
    said = _statement(make_run(noise_multiplier=4.65, rounds=60, limit=10.0))
    assert said["sampling"] == {
        "amplification_claimed": "none",
        "used": "all",
        "rate": None,
        "epsilon_without_amplification": pytest.approx(8.0, rel=1e-3),
    }
    assert said["mu"] == pytest.approx(60**0.5 / 4.65)
    assert said["rho"] == pytest.approx(60 / 4.65**2 / 2)
    assert {point["delta"]: point["epsilon"] for point in said["curve"]}[1e-5] == pytest.approx(8.0, rel=1e-3)
    epsilons = [point["epsilon"] for point in said["curve"]]
    assert epsilons == sorted(epsilons)
    assert said["releases_by_purpose"] == {"update": 60}


def test_the_releases_left_are_those_that_fit(make_run: MakeRun) -> None:
    left = _statement(make_run(noise_multiplier=4.65, rounds=60, limit=10.0))["budget"]
    assert left["left"] == pytest.approx(2.0, abs=0.01)
    fits = make_run("fits", noise_multiplier=4.65, rounds=60 + left["releases_left"], limit=10.0)
    assert _statement(fits)["budget"]["releases_left"] == 0


def test_sampling_that_is_amplified_has_no_exact_gaussian(make_run: MakeRun) -> None:
    said = _statement(make_run(rate=0.1, noise_multiplier=1.0, limit=None))
    assert (said["mu"], said["rho"], said["budget"]["limit"]) == (None, None, None)
    assert said["sampling"]["amplification_claimed"] == "poisson"


def test_nothing_is_stated_about_a_run_that_protects_nobody(make_run: MakeRun) -> None:
    run = make_run(unit=Unit.NONE)
    assert write_report(run)["statement"] is None
    assert "Privacy statement" not in run.report_html_path.read_text()


def test_noise_that_protects_nobody_is_said_first(make_run: MakeRun) -> None:
    said = _statement(make_run(reproducible=True))
    assert said["plain"][0].startswith("THE NOISE OF THIS RUN CAN BE DRAWN AGAIN")
    assert "protects nobody" in said["noise_source"]


def test_small_bins_are_withheld_and_nobody_is_named(make_run: MakeRun) -> None:
    run = make_run(rounds=1)
    run.ledger_path.unlink()
    with Ledger(run.ledger_path, run_id="run") as ledger:
        for round_ in range(1, 9):
            people = [f"person-{n}" for n in range(3 if round_ == 8 else 200 - 20 * round_)]
            ledger.reserve(
                round_,
                GaussianSum(4.65, Unit.USER),
                budget=Budget(1e9, 1e-5),
                reproducible=False,
                people=people,
            )
    said = _statement(run)
    assert said["per_client"]["people"] == 180
    assert said["per_client"]["min"] < said["per_client"]["median"] < said["per_client"]["max"]
    assert said["per_client"]["bins"][-1]["people"] is None
    assert all(
        b["people"] is None or b["people"] == 0 or b["people"] >= 10 for b in said["per_client"]["bins"]
    )
    assert "person-" not in run.report_json_path.read_text() + run.report_html_path.read_text()


def test_the_controller_fills_what_no_measurement_can(make_run: MakeRun, tmp_path: Path) -> None:
    file = tmp_path / "controller.toml"
    file.write_text(
        'controller = "Shop Ltd"\npurpose = "suggestions"\nsigned_on = 2026-01-31\nerasure_requests = 3\n'
    )
    run = make_run()
    said = _statement(run, controller=read_controller(file))
    assert said["scope"]["controller"] == "Shop Ltd"
    assert said["scope"]["signed_on"] == "2026-01-31"
    assert said["scope"]["contact"] is None
    assert said["erasure"]["requests"] == 3
    shown = run.report_html_path.read_text()
    assert "Shop Ltd" in shown
    assert "not filled in" in shown


def test_what_the_controller_says_cannot_break_the_page(make_run: MakeRun) -> None:
    run = make_run()
    write_report(run, controller=Controller(controller="<script>alert(1)</script>"))
    assert "<script>alert(1)" not in run.report_html_path.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("controler = 'x'", "controler"),
        ("controller = ", "not TOML"),
        ("erasure_requests = 'many'", "erasure_requests"),
    ],
)
def test_a_wrong_file_is_named_with_its_field(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "controller.toml"
    file.write_text(text)
    with pytest.raises(BadInput, match=f"controller.toml.*{said}"):
        read_controller(file)
    with pytest.raises(BadInput, match="no such file"):
        read_controller(tmp_path / "none.toml")


def test_an_attack_that_was_kept_is_shown_with_its_power(make_run: MakeRun) -> None:
    run = make_run()
    bound = {"epsilon": 0.6, "most": 4.2, "canaries": 1000, "guesses": 200, "right": 140, "confidence": 0.95}
    found = {
        "claim": {"epsilon": 2.0},
        "bound": bound,
        "refuted": False,
        "attacker_sees": "sums",
        "membership": {},
    }
    write_json(run.attack_path, found)
    said = _statement(run)["attack"]
    assert (said["proved_epsilon"], said["could_have_proved"], said["claimed_epsilon"]) == (0.6, 4.2, 2.0)
    assert "The claim stands." in run.report_html_path.read_text()


@pytest.mark.parametrize("unit", [Unit.USER, Unit.EVENT])
def test_no_law_is_said_to_be_complied_with(make_run: MakeRun, unit: Unit) -> None:
    shown = page(write_report(make_run(unit=unit)))
    visible = re.sub(r"<script.*?</script>", "", shown, flags=re.DOTALL).lower()
    assert "gdpr" not in visible
    assert "compliant" not in visible
    assert "@page" in shown


def test_the_command_takes_the_controllers_file(make_run: MakeRun, tmp_path: Path) -> None:
    file = tmp_path / "controller.toml"
    file.write_text('contact = "privacy@shop.example"\n')
    run = make_run()
    assert main(["report", str(run.root), "--statement", str(file), "--format", "json"]) == 0
    assert (
        json.loads(run.report_json_path.read_text())["statement"]["scope"]["contact"]
        == "privacy@shop.example"
    )
    assert main(["report", str(run.root), "--statement", str(tmp_path / "none.toml")]) == 2
