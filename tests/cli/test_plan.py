"""`penchant plan` gives known answers, finds what is missing, and refuses what cannot be."""

import json
from typing import Any

import pytest

from penchant.cli import main


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
    ],
)
def test_refusals_name_the_value_and_the_cure(
    capsys: pytest.CaptureFixture[str], flags: str, code: int, said: str
) -> None:
    got, message = _refused(capsys, *flags.split())
    assert (got, said in message) == (code, True), message
