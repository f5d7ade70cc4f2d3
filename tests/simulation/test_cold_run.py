"""A run that keeps people and items out, and is asked about them afterwards."""

import json
from pathlib import Path

import numpy as np
import pytest

from penchant.baselines import STRANGER_REFERENCES
from penchant.cli import main
from penchant.simulation.federation import Federation
from penchant.simulation.world import build_world
from tests.simulation.conftest import settings_of

KEPT_OUT = ("hold_out.people=0.2", "hold_out.items=0.1", "privacy.unit=none", "federation.rounds=1")


def test_nothing_that_is_kept_out_reaches_training() -> None:
    settings = settings_of(*KEPT_OUT)
    world = build_world(settings)
    assert world.cold is not None
    assert world.n_people == len(world.cold.warm.user_ids) == len(world.dataset.people["gender"])
    assert not world.cold.cold_items[np.concatenate(world.histories)].any()
    plan = Federation.of(settings, world)._plan()
    for round_ in range(1, 30):
        assert not world.cold.cold_items[plan.negatives(round_).numpy()].any()


@pytest.mark.parametrize("which", ["people", "items"])
def test_strangers_beside_the_references(
    which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assignments = [f"--set={text}" for text in (*KEPT_OUT, "model.width=8", "encoder.whiten_rank=16")]
    assert main(["simulate", "--quiet", "--out", str(run), *assignments]) == 0
    capsys.readouterr()
    asked = ["evaluate", str(run), "--cold", which, "--shots", "0,3", "--no-tune", "--format", "json"]
    assert main(asked) == 0
    printed = capsys.readouterr().out
    found = json.loads(printed)["cold"][which]
    assert list(found) == (["0", "3"] if which == "people" else ["all"])
    expected = {"popularity", "content_knn"} if which == "items" else set(STRANGER_REFERENCES)
    for models in found.values():
        assert set(models) == {"penchant", *expected}
        assert all(0 <= figures["ndcg@10"] <= 1 for figures in models.values())
    assert main(asked) == 0
    assert capsys.readouterr().out == printed


def test_a_run_that_kept_nobody_out_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    rest = ["--set=privacy.unit=none", "--set=federation.rounds=1", "--set=model.width=8"]
    assert main(["simulate", "--quiet", "--out", str(run), *rest]) == 0
    assert main(["evaluate", str(run), "--cold", "people"]) == 2
    assert "hold_out.people" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--cold", "ghosts"]) == 2
