"""`penchant plan` gives known answers, finds what is missing, and refuses what cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest

from penchant.cli import main
from penchant.rundir import RunDirectory, write_json


def _plan(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    assert main(["plan", *flags, "--format", "json"]) == 0
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def _refused(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str]:
    code = main(["plan", *flags])
    return code, capsys.readouterr().err


def test_sixty_full_rounds_at_the_level_of_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    record = _plan(
        capsys, "--privacy", "user", "--rounds", "60", "--noise-multiplier", "4.65", "--delta", "1e-5"
    )
    assert record["epsilon"] == pytest.approx(8.0, rel=1e-3)
    assert record["epsilon_unamplified"] == record["epsilon"]
    assert record["cross_check_epsilon"] == pytest.approx(8.0, rel=0.01)
    assert (record["unit"], record["delta"], record["sampling"]) == ("user", 1e-5, "all")
    assert record["adjacency"].startswith("add or remove one person")


def test_a_hundred_sampled_steps(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--privacy", "event", "--sampling-rate", "0.1", "--noise-multiplier", "1", "--rounds", "100"]
    record = _plan(capsys, *flags)
    assert record["epsilon"] == pytest.approx(7.05, rel=0.01)
    assert record["epsilon_unamplified"] == pytest.approx(91.8, rel=0.01)
    assert record["sampling"] == "poisson"


@pytest.mark.parametrize(("epsilon", "noise_multiplier"), [("8", 4.65), ("3", 10.77), ("1", 28.9)])
def test_from_epsilon_to_noise_and_back_to_rounds(
    capsys: pytest.CaptureFixture[str], epsilon: str, noise_multiplier: float
) -> None:
    forth = _plan(capsys, "--epsilon", epsilon, "--rounds", "60")
    assert forth["noise_multiplier"] == pytest.approx(noise_multiplier, rel=1e-3)
    assert forth["epsilon"] <= float(epsilon)
    back = _plan(capsys, "--epsilon", epsilon, "--noise-multiplier", str(forth["noise_multiplier"]))
    assert back["rounds"] == 60


def test_the_largest_cohort_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "--epsilon",
        "4",
        "--noise-multiplier",
        "1",
        "--rounds",
        "100",
        "--sampling",
        "poisson",
        "--people",
        "10000",
    ]
    found = _plan(capsys, *flags)
    assert found["epsilon"] <= 4
    assert _plan(capsys, *flags, "--cohort", str(found["cohort"]))["epsilon"] <= 4
    code, message = _refused(capsys, *flags, "--cohort", str(found["cohort"] + 20))
    assert (code, "lower the rounds to" in message) == (3, True)
    assert f"lower the cohort to {found['cohort']}" in message


TURNS = ("--sampling", "rotation", "--people", "943")


def test_one_round_alone_is_not_the_price_of_fifty(capsys: pytest.CaptureFixture[str]) -> None:
    """The example whose accountant was made anew each round: 400 steps cost 15.5, 8 steps would be 1.9."""
    flags = ["--sampling-rate", str(16 / 120), "--noise-multiplier", "1", "--delta", "1e-3"]
    assert _plan(capsys, *flags, "--rounds", "400")["epsilon"] == pytest.approx(15.5, rel=5e-3)
    assert _plan(capsys, *flags, "--rounds", "8")["epsilon"] == pytest.approx(1.9, rel=5e-3)


def test_any_three_give_the_fourth(capsys: pytest.CaptureFixture[str]) -> None:
    """Under rotation: 60 rounds, a cohort of 94, so turns 10 rounds apart and 6 of them each."""
    rounds, cohort, wish = ("--rounds", "60"), ("--cohort", "94"), ("--epsilon", "4")
    noise = _plan(capsys, *TURNS, *rounds, *cohort, *wish)
    assert (noise["separation"], noise["epsilon"]) == (10, pytest.approx(4, rel=1e-3))
    z = ("--noise-multiplier", repr(noise["noise_multiplier"]))
    assert _plan(capsys, *TURNS, *rounds, *cohort, *z)["epsilon"] == noise["epsilon"]
    assert _plan(capsys, *TURNS, *cohort, *z, *wish)["rounds"] == 60
    assert _plan(capsys, *TURNS, *rounds, *z, *wish)["cohort"] == 94


def test_the_cheaper_noise_is_picked_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    terms = [*TURNS, "--cohort", "59", "--rounds", "60"]
    record = _plan(capsys, *terms)
    ways = {way["name"]: way for way in record["alternatives"]}
    correlated, independent = ways["rotation, correlated noise"], ways["rotation, independent noise"]
    assert (record["band"], correlated["chosen"], independent["chosen"]) == (15, True, False)
    assert correlated["noise_multiplier"] == record["noise_multiplier"]
    assert independent["noise_multiplier"] == pytest.approx(record["noise_multiplier"], rel=1e-3)
    assert correlated["error"] / independent["error"] == pytest.approx(0.42, abs=0.01)
    assert [way["error"] for way in record["alternatives"]] == sorted(way["error"] for way in ways.values())
    assert main(["plan", *terms]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "correlated over 15 rounds: leaves 0.42 of what independent noise does" in said
    assert _plan(capsys, *terms, "--noise-at", "client")["band"] == 1
    assert _plan(capsys, *terms, "--privacy", "event")["band"] == 1


def test_a_recipe_says_what_flags_leave_open(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recipe = tmp_path / "run.toml"
    recipe.write_text('[federation]\nrounds = 30\n[privacy]\nunit = "event"\nepsilon = 3.0\ndelta = 1e-6\n')
    record = _plan(capsys, str(recipe))
    assert (record["rounds"], record["unit"], record["delta"]) == (30, "event", 1e-6)
    assert record["epsilon"] == pytest.approx(3, rel=1e-3)
    given = _plan(capsys, str(recipe), "--noise-multiplier", "5", "--rounds", "10")
    assert (given["noise_multiplier"], given["rounds"]) == (5, 10)


def _past(folder: Path, name: str, epsilon: float, ndcg: float, unit: str = "user") -> None:
    run = RunDirectory(folder / name)
    cost = {"client_updates": 9430, "seconds": 18.86, "bytes_up": 9430 * 23_240, "bytes_down": 9430 * 23_240}
    privacy = {"unit": unit, "noise_at": "server", "sampling": "all"}
    settings = {"data": "films"}
    run.write_settings({"settings": settings, "dataset": {"n_users": 943}, "privacy": privacy, "cost": cost})
    for round_ in range(1, 11):
        run.append_metrics({"round": round_, "epsilon": epsilon * round_ / 10})
    write_json(run.evaluation_path, {"test": {"full": {"hr@10": 2 * ndcg, "ndcg@10": ndcg}}})


def test_a_clip_bound_that_follows_is_paid_for_out_of_the_same_epsilon(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe = tmp_path / "run.toml"
    recipe.write_text("[federation]\nrounds = 60\n[privacy]\nclip_quantile = 0.5\nclip_share = 0.19\n")
    record = _plan(capsys, str(recipe))
    assert record["noise_multiplier"] == pytest.approx(4.65, abs=5e-3)
    assert record["clip"]["update_noise_multiplier"] == pytest.approx(record["noise_multiplier"] / 0.9)
    together = (
        record["clip"]["update_noise_multiplier"] ** -2 + record["clip"]["votes_noise_multiplier"] ** -2
    )
    assert together == pytest.approx(record["noise_multiplier"] ** -2)


def test_past_runs_tell_time_bytes_and_accuracy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _past(tmp_path, "strict", 2.0, 0.04)
    _past(tmp_path, "loose", 8.0, 0.06)
    _past(tmp_path, "interactions", 4.0, 0.01, unit="event")
    RunDirectory(tmp_path / "unfinished").write_settings({"settings": {}})
    terms = ["--runs", str(tmp_path), "--data", "films", "--rounds", "10", "--epsilon", "4"]
    record = _plan(capsys, *terms)
    assert record["people"] == 943
    hoped = record["expected"]
    assert hoped["seconds"] == pytest.approx(18.86)
    assert hoped["bytes_up"] == hoped["bytes_down"] == pytest.approx(9430 * 23_240)
    assert hoped["accuracy"]["ndcg@10"] == pytest.approx(0.05, abs=1e-4)  # half way, as ratios of epsilon go
    assert "between" in hoped["learnt_from"][1]
    outside = _plan(capsys, *terms[:-1], "1")["expected"]
    assert outside["accuracy"]["ndcg@10"] == 0.04
    assert "strict" in outside["learnt_from"][1]
    assert main(["plan", *terms]) == 0
    assert "19 s of training" in capsys.readouterr().out
    assert _plan(capsys, *terms[2:], "--runs", str(tmp_path / "none"))["expected"] is None


def test_a_fixed_cohort_claims_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    terms = ["--rounds", "60", "--noise-multiplier", "4.65", "--people", "943"]
    everybody = _plan(capsys, *terms)
    fixed = _plan(capsys, *terms, "--sampling", "fixed", "--cohort", "94")
    assert fixed["epsilon"] == everybody["epsilon"]


def test_no_privacy_is_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert _plan(capsys, "--privacy", "none") == {"unit": "none", "epsilon": None, "private": False}
    assert main(["plan", "--privacy", "none"]) == 0
    assert "NOT PRIVATE" in capsys.readouterr().out


def test_people_read_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--rounds", "60", "--noise-multiplier", "4.65"]) == 0
    shown = capsys.readouterr().out
    assert "7.999 at delta 1e-05" in shown
    assert "one person" in shown
    assert "PRV (opacus" in shown


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ("--rounds 0", 2, "0 rounds"),
        ("--epsilon 0", 2, "epsilon 0.0: must be a number above 0"),
        ("--epsilon nan", 2, "epsilon nan"),
        ("--delta 1", 2, "delta 1.0"),
        ("--delta 0", 2, "delta 0.0"),
        ("--delta 0.01 --people 943", 2, "must be below 0.0011"),
        ("--noise-multiplier 0", 2, "noise multiplier 0.0: must be a number above 0"),
        ("--sampling poisson", 2, "needs --people"),
        ("--sampling poisson --people 10 --cohort 10", 2, "is everybody"),
        ("--sampling-rate 1.5", 2, "sampling rate 1.5"),
        ("--sampling-rate 0.1 --cohort 5", 2, "without --cohort"),
        ("--rounds 60 --noise-multiplier 1 --epsilon 8", 3, "raise the noise multiplier to 4.649"),
        ("--rounds 60 --noise-multiplier 1 --epsilon 8", 3, "lower the rounds to 2"),
        ("--noise-multiplier 0.1 --epsilon 1", 3, "one round alone"),
        ("--epsilon 1e-9 --rounds 100000", 3, "Wish for epsilon"),
        ("--sampling rotation", 2, "needs --people"),
        ("--sampling rotation --cohort 5", 2, "needs --people with --cohort"),
        (
            "--sampling rotation --people 943",
            2,
            "to find the cohort, give epsilon, noise multiplier and rounds",
        ),
        (
            "--sampling rotation --people 943 --cohort 400 --rounds 60 --noise-multiplier 2 --epsilon 4",
            3,
            "lower the cohort to 47",
        ),
        (
            "--sampling rotation --people 10 --rounds 900 --noise-multiplier 2 --epsilon 4",
            3,
            "10 people cannot take so many turns: lower the rounds to",
        ),
    ],
)
def test_refusals_name_the_value_and_the_cure(
    capsys: pytest.CaptureFixture[str], flags: str, code: int, said: str
) -> None:
    got, message = _refused(capsys, *flags.split())
    assert (got, said in message) == (code, True), message


def test_a_plan_for_few_people_says_that_pairs_drown(capsys: pytest.CaptureFixture[str]) -> None:
    """200 people add a vector of length 200 at most, against noise in each of 4,950 pairs."""
    recipe = str(Path(__file__).parents[2] / "recipes" / "bookstore.toml")
    record = _plan(capsys, recipe, "--people", "200")
    noise = record["counts"]["pairs"] * 4950**0.5
    assert record["pairs_over_noise_at_most"] == pytest.approx(200 / noise)
    assert main(["plan", recipe, "--people", "200"]) == 0
    assert "Pairs drown: 200 people" in capsys.readouterr().out
    assert main(["plan", recipe, "--people", "5000"]) == 0
    assert "drown" not in capsys.readouterr().out
    assert "pairs_over_noise_at_most" not in _plan(capsys, recipe)
