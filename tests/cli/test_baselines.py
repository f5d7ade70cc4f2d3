"""`penchant baselines` prints the references as a table and as JSON."""

import json

import pytest

from penchant.cli import main


def test_json_has_full_and_sampled_figures(
    movielens_100k: object, capsys: pytest.CaptureFixture[str]
) -> None:  # noqa: ARG001
    assert main(["baselines", "--data", "movielens-100k", "--format", "json", "--quiet"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["dataset"]["n_users"] == 943
    assert record["baselines"]["popularity"]["full"]["hr@10"] == pytest.approx(0.0817, rel=0.02)
    assert record["baselines"]["ease"]["sampled99"]["ndcg@10"] == pytest.approx(0.38, abs=0.02)
    assert captured.err == ""


def test_unknown_data_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baselines", "--data", "nowhere"]) == 2
    assert "movielens-100k" in capsys.readouterr().err
