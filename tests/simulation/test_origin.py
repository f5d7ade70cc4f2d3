"""A run that starts from another's head, on a catalogue that the other never saw."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from penchant.cli import main
from penchant.datasets import Dataset, write_dataset
from penchant.encoders import Whitening
from penchant.interest.transfer import carried
from penchant.rundir import RunDirectory
from penchant.types import Bool

SMALL = ("--set=model.width=8", "--set=encoder.whiten_rank=16", "--set=evaluate_every=0", "--quiet")


def part_of(whole: Dataset, kept: Bool, people: int) -> Dataset:
    """Some of the items, and what the first people did with them."""
    behaviours = whole.behaviours.where(kept[whole.behaviours.items]).of_people(np.arange(people))
    renumbered = (np.cumsum(kept) - 1).astype(np.int32)[behaviours.items]
    return replace(
        whole,
        catalogue=whole.catalogue.of_items(kept),
        behaviours=replace(behaviours, items=renumbered),
        people={},
    )


@pytest.fixture(scope="module")
def halves(movielens_100k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two catalogues of 300 films each that share 100, and a private run on the first."""
    root, row = tmp_path_factory.mktemp("halves"), np.arange(len(movielens_100k.catalogue))
    write_dataset(part_of(movielens_100k, row < 300, 80), root / "first")
    write_dataset(part_of(movielens_100k, (row >= 200) & (row < 500), 80), root / "second")
    private = ["--rounds", "2", "--epsilon", "8", "--delta", "1e-3"]
    told = ["simulate", "--data", str(root / "first"), *private, *SMALL, "--out", str(root / "before")]
    assert main(told) == 0
    return root


def test_zero_shot_is_the_head_as_it_was(halves: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = halves / "zero"
    told = ["simulate", "--data", str(halves / "second"), "--from", str(halves / "before"), "--rounds", "0"]
    assert main([*told, "--out", str(run), "--set=evaluate_every=0", "--quiet"]) == 0
    assert "nothing was learned from these people" in " ".join(capsys.readouterr().out.split())
    before, after = (load_file(folder / "shared.safetensors") for folder in (halves / "before", run))
    np.testing.assert_array_equal(after["shared.head.weight"], before["shared.head.weight"])
    np.testing.assert_array_equal(after["shared.prior.weight"][:100], before["shared.prior.weight"][200:])
    assert not after["shared.prior.weight"][100:].any()
    bases = (Whitening.load(RunDirectory(folder).basis_path).digest for folder in (halves / "before", run))
    assert len(set(bases)) == 1
    report = json.loads((run / "report.json").read_text())
    lineage = report["provenance"]["lineage"]
    assert lineage["people"] == 80
    assert lineage["items_known"] == 100
    assert lineage["id"] == json.loads((halves / "before" / "run.json").read_text())["id"]
    paid = json.loads((halves / "before" / "report.json").read_text())["privacy"]["epsilon"]
    assert lineage["epsilon"] == pytest.approx(paid)
    assert [stamp["code"] for stamp in report["stamps"]] == ["zero-shot"]
    assert "which had learned from 80 people of first" in (run / "report.html").read_text()
    capsys.readouterr()
    assert main(["evaluate", str(run), "--format", "json"]) == 0
    again = json.loads(capsys.readouterr().out)["test"]["full"]["ndcg@10"]
    assert again == pytest.approx(report["accuracy"]["test"]["full"]["ndcg@10"])


def test_what_goes_on_moves_from_there_and_pays_for_itself(halves: Path) -> None:
    run = halves / "tuned"
    told = ["simulate", "--data", str(halves / "second"), "--from", str(halves / "before"), "--rounds", "1"]
    assert main([*told, "--delta", "1e-3", "--out", str(run), *SMALL]) == 0
    before, after = (load_file(folder / "shared.safetensors") for folder in (halves / "before", run))
    assert not np.array_equal(after["shared.head.weight"], before["shared.head.weight"])
    record = json.loads((run / "report.json").read_text())
    assert record["privacy"]["unit"] == "user"
    assert record["provenance"]["lineage"]["run"] == "before"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("model.width=4", "model.width = 4"),
        ("encoder.whiten_rank=8", "encoder.whiten_rank = 8"),
        ("encoder.pooling=first", "encoder.pooling = 'first'"),
        ("model.residual_scale=1.0", "model.residual_scale"),
    ],
)
def test_another_model_is_refused(
    halves: Path, wrong: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["simulate", "--data", str(halves / "second"), "--from", str(halves / "before"), "--rounds", "0"]
    assert main([*told, "--set", wrong, "--out", str(halves / "x")]) == 2
    assert said in capsys.readouterr().err


def test_no_run_to_start_from(halves: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--from", str(halves / "first"), "--out", str(halves / "x")]) == 2
    assert "no run here" in capsys.readouterr().err


def test_rows_of_the_same_items_travel_and_others_start_at_zero() -> None:
    learned = {
        "shared.prior.weight": np.ones((3, 1), np.float32),
        "shared.head.weight": np.eye(2, dtype=np.float32),
    }
    fresh = {
        "shared.prior.weight": np.zeros((4, 1), np.float32),
        "shared.head.weight": np.zeros((2, 2), np.float32),
    }
    result = carried(learned, fresh, old=np.array([0, 2]), new=np.array([3, 1]))
    assert result["shared.prior.weight"].ravel().tolist() == [0, 1, 0, 1]
    assert result["shared.head.weight"].tolist() == np.eye(2).tolist()
    assert not fresh["shared.prior.weight"].any()
