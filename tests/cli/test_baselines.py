"""`penchant baselines` prints the references as a table and as JSON."""

import json
from pathlib import Path

import pytest

from penchant.cache import cache_folder
from penchant.cli import main
from penchant.datasets import Dataset

ONLY = ["--only", "popularity", "--only", "ease"]


@pytest.fixture
def own_cache(movielens_100k: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data sets of the machine, and no figure that an earlier run left there."""
    (tmp_path / "datasets").symlink_to(cache_folder() / "datasets")
    monkeypatch.setenv("PENCHANT_CACHE", str(tmp_path))


@pytest.mark.usefixtures("own_cache")
def test_json_has_full_and_sampled_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baselines", "--data", "movielens-100k", *ONLY, "--format", "json", "--quiet"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["dataset"]["n_users"] == 943
    assert record["baselines"]["popularity"]["full"]["hr@10"] == pytest.approx(0.0817, rel=0.02)
    assert record["baselines"]["ease"]["sampled99"]["ndcg@10"] == pytest.approx(0.38, abs=0.02)
    assert captured.err == ""


def test_unknown_data_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baselines", "--data", "nowhere"]) == 2
    assert "movielens-100k" in capsys.readouterr().err


def test_unknown_baseline_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baselines", "--data", "movielens-100k", "--only", "magic"]) == 2
    assert "recency_ease" in capsys.readouterr().err


@pytest.mark.usefixtures("own_cache")
def test_tuning_says_what_it_chose_and_what_it_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "baselines",
                "--data",
                "movielens-100k",
                "--only",
                "recent_popularity",
                "--tune",
                "--format",
                "json",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)["baselines"]["recent_popularity"]
    assert found["tuned"]["tried"] == 7
    assert found["settings"]["model"] == "RecentPopularity"
    assert found["full"]["ndcg@10"] > 0.03


@pytest.mark.usefixtures("own_cache")
def test_one_baseline_can_be_set_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    one = ["baselines", "--data", "movielens-100k", "--only", "recent_popularity", "--quiet"]
    assert main([*one, "--set", "half_life=7", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["baselines"]["recent_popularity"]
    assert found["settings"] == {"model": "RecentPopularity", "half_life": 7.0}
    assert 0.02 < found["validation"]["ndcg@10"] != found["full"]["ndcg@10"]
    assert main([*one, "--set", "half_life=7", "--tune", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["baselines"]["recent_popularity"]["tuned"]["tried"] == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--set", "ridge=1"], "one --only"),
        ([*ONLY, "--set", "ridge=1"], "one --only"),
        (["--only", "ease", "--set", "ridge"], "name=value"),
        (["--only", "ease", "--set", "ridge=-1"], "greater than 0"),
        (["--only", "ease", "--set", "breadth=1"], "Ease has ridge, memory"),
    ],
)
def test_settings_that_do_not_do_are_refused_before_anything_is_fitted(
    asked: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["baselines", "--data", "movielens-100k", *asked]) == 2
    assert told in capsys.readouterr().err
