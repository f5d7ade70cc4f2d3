"""`penchant doctor` tells a ready machine from one that lacks something, and names each cure."""

import json
import shutil
from importlib import metadata
from typing import Any

import pytest

from penchant.cli import main


def examined(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], dict[str, dict[str, str]]]:
    """Exit code, the whole record, its checks by name."""
    code = main(["doctor", "--format", "json", "--quiet"])
    record = json.loads(capsys.readouterr().out)
    return code, record, {check["name"]: check for check in record["checks"]}


def test_this_machine_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    code, record, checks = examined(capsys)
    assert (code, record["ready"]) == (0, True)
    assert all(check["state"] in {"ready", "absent"} for check in checks.values())
    assert checks["flwr"]["found"] == f"{metadata.version('flwr')}, needs ==1.41.0"
    assert checks["language model"]["found"].startswith("384 numbers per text")
    assert {"python", "torch computes", "cache folder", "ray", "cuda"} <= checks.keys()


def test_every_dependency_is_looked_at_and_extras_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, checks = examined(capsys)
    assert {"dp-accounting", "numpy", "opacus", "torch", "typer"} <= checks.keys()
    assert "pytest" not in checks


def test_missing_and_old_packages_are_named_with_their_cure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "requires", lambda _: ["no-such-package>=1", "numpy>=99", "rich>=13"])
    code, record, checks = examined(capsys)
    assert (code, record["ready"]) == (4, False)
    assert checks["no-such-package"]["found"] == "not installed, needs >=1"
    assert checks["no-such-package"]["cure"] == "pip install 'no-such-package>=1'"
    assert checks["numpy"]["state"] == "missing"
    assert checks["numpy"]["cure"] == "pip install 'numpy>=99'"
    assert checks["rich"]["state"] == "ready"


def test_missing_language_model(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penchant.encoders.model_folder.BUNDLED", "gt_no_such_model")
    code, _, checks = examined(capsys)
    assert (code, checks["language model"]["state"]) == (4, "missing")
    assert "pip install" in checks["language model"]["cure"]


def test_cache_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_CACHE", "/dev/null/penchant")
    code, _, checks = examined(capsys)
    assert (code, checks["cache folder"]["state"]) == (4, "missing")
    assert "PENCHANT_CACHE" in checks["cache folder"]["cure"]


def test_full_disk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 1 << 20))
    code, _, checks = examined(capsys)
    assert code == 4
    assert checks["cache folder"]["found"] == "OSError: 0.0 GiB free, 1.0 wanted"


def test_table_shows_what_the_json_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(metadata, "requires", lambda _: ["no-such-package[extra]>=1"])
    assert main(["doctor", "--quiet"]) == 4
    shown = capsys.readouterr().out
    assert "pip install 'no-such-package[extra]>=1'" in shown
    assert "missing" in shown
