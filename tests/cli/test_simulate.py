"""`penchant simulate`, `evaluate`, `recommend`, `compare`: what they print, and what they refuse."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from penchant.cli import main
from penchant.rundir import RunDirectory
from penchant.score import Scorer
from penchant.simulation.run import load_run

FILMS = (
    "Toy Story",
    "Aladdin",
    "Star Wars",
    "Alien",
    "Blade Runner",
    "Fargo",
    "Casablanca",
    "Psycho",
    "Heat",
    "Babe",
)
SMALL = ("--set", "model.width=4", "--set", "encoder.whiten_rank=8", "--delta", "0.01", "--quiet")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty people, ten films: each person goes through six films in an order of their own."""
    folder = tmp_path_factory.mktemp("shop")
    lines = [f"u{u},i{(u + 3 * day) % 10},{1_000_000 + day}" for u in range(20) for day in range(6)]
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    items = [f"i{i},{title}" for i, title in enumerate(FILMS)]
    (folder / "items.csv").write_text("\n".join(["item_id,title", *items]) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "small"
    assert main(["simulate", "--data", str(shop), "--rounds", "3", "--out", str(out), *SMALL]) == 0
    return out


def test_a_run_directory_is_complete_and_holds_no_half_written_file(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {
        "run.json",
        "metrics.jsonl",
        "ledger.sqlite",
        "shared.safetensors",
        "checkpoints",
        "personal",
        "evaluation.json",
        "people.parquet",
        "report.json",
        "report.html",
    } <= names
    assert not [path for path in run.rglob(".*") if path.is_file()]


def test_privacy_is_on_unless_none_is_said(run: Path) -> None:
    privacy = json.loads((run / "report.json").read_text())["privacy"]
    assert (privacy["unit"], privacy["delta"]) == ("user", 0.01)
    assert 7.9 < privacy["epsilon"] <= 8


def test_an_export_scores_everybody_as_the_run_does(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "--format", "json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    scorer, finished = Scorer.load(told["file"]), load_run(RunDirectory(run))
    assert scorer.items.titles == FILMS
    expected = finished.serving.scores(finished.world.histories, finished.adapters)
    for history, adapter, scores in zip(finished.world.histories, finished.adapters, expected, strict=True):
        np.testing.assert_allclose(scorer.scores(history, adapter=adapter), scores, atol=1e-5)
    assert main(["recommend", str(run), "--user", "u3", "-k", "3", "--format", "json", "--quiet"]) == 0
    listed = json.loads(capsys.readouterr().out)["items"]
    person = finished.world.dataset.behaviours.user_ids.index("u3")
    seen = [scorer.items.ids[item] for item in finished.world.histories[person]]
    best = scorer.recommend(seen, k=3, adapter=finished.adapters[person])
    assert [item for item, _ in best] == [line["item_id"] for line in listed]


def test_evaluate_prints_what_the_run_recorded(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["test"] == json.loads((run / "evaluation.json").read_text())["test"]


def test_recommend_gives_titles_that_the_person_has_not_seen(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recommend", str(run), "--user", "u0", "-k", "3", "--format", "json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert len(items) == 3
    trained = {f"i{(3 * day) % 10}" for day in range(4)}
    assert not trained & {item["item_id"] for item in items}
    assert all(item["title"] == FILMS[int(item["item_id"][1:])] for item in items)
    assert [item["score"] for item in items] == sorted((i["score"] for i in items), reverse=True)


def test_recommend_names_the_person_it_does_not_know(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", str(run), "--user", "nobody"]) == 2
    assert "--user nobody: no such person" in capsys.readouterr().err


def test_compare_shows_runs_beside_the_references(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(run)]) == 0
    shown = capsys.readouterr().out
    for word in ("small", "popularity", "ease", "amplified"):
        assert word in shown


REFUSED = {
    "no rounds": (["--rounds", "0"], 2, "federation.rounds"),
    "no epsilon": (["--epsilon", "0"], 2, "privacy.epsilon"),
    "a delta of one": (["--delta", "1"], 2, "privacy.delta"),
    "a delta that one person in twenty exceeds": (["--delta", "0.2"], 2, "delta"),
    "a setting that does not exist": (["--set", "model.depth=3"], 2, "model.depth"),
    "a cohort of everyone by chance": (["--cohort", "20", "--sampling", "poisson"], 2, "sampling all"),
    "local steps under event": (["--privacy", "event", "--set", "training.local_steps=2"], 2, "local_steps"),
    "an engine that does not exist": (["--engine", "warp"], 2, "engine"),
    "a file that is not there": (["--data", "nowhere.csv"], 2, "nowhere.csv"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_wish_is_refused_and_leaves_nothing(
    case: str, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags, code, named = REFUSED[case]
    out = tmp_path / "run"
    assert main(["simulate", "--data", str(shop), "--out", str(out), "--rounds", "2", *SMALL, *flags]) == code
    assert named in capsys.readouterr().err
    assert not out.exists()


def test_bad_data_stops_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "bad.csv", tmp_path / "run"
    data.write_text("user_id,item_id,rating,timestamp\nu1,i1,five,10\nu1,i2,4,20\n")
    assert main(["simulate", "--data", str(data), "--out", str(out), "--quiet"]) == 2
    told = capsys.readouterr().err
    assert "bad.csv:2" in told
    assert "five" in told
    assert not out.exists()


def test_rounds_beyond_the_budget_do_not_run(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    flags = ["--epsilon", "8", "--noise-multiplier", "1", "--rounds", "40"]
    assert main(["simulate", "--data", str(shop), "--out", str(out), *SMALL, *flags]) == 3
    assert "would reach epsilon" in capsys.readouterr().err
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert 0 < len(rows) < 40
    assert max(row["epsilon"] for row in rows) <= 8
    assert (out / "shared.safetensors").is_file(), "the rounds that were paid for are kept"


def test_a_full_disk_stops_with_the_cause_and_leaves_no_half_file(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("penchant.rundir.os.fsync", full)
    out = tmp_path / "run"
    assert main(["simulate", "--data", str(shop), "--out", str(out), "--rounds", "2", *SMALL]) == 4
    assert "No space left" in capsys.readouterr().err
    assert not [path for path in out.rglob("*") if path.is_file()]
