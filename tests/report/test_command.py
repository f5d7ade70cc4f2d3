"""`penchant report` writes both files and prints where they are and what they say."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from penchant.cli import main
from penchant.rundir import RunDirectory, read_json
from penchant.types import Unit

MakeRun = Callable[..., RunDirectory]


def test_json_names_the_files_and_the_headline(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run, other = make_run("one"), make_run("two", unit=Unit.NONE)
    assert main(["report", str(run.root), "--compare", str(other.root), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["paths"] == {"json": str(run.report_json_path), "html": str(run.report_html_path)}
    written = read_json(run.report_json_path)
    assert said["accuracy"] == written["accuracy"]
    assert [compared["run"] for compared in written["comparison"]] == ["two"]


def test_table_shows_stamp_and_epsilon_in_full(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(make_run("open", unit=Unit.NONE).root)]) == 0
    assert "NOT PRIVATE" in capsys.readouterr().out
    assert main(["report", str(make_run("closed").root)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "per user, δ = 1e-05; adjacency" in shown


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "penchant simulate" in said
