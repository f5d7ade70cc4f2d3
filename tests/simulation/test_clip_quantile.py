"""A clip bound that follows the updates' norms: through the whole federation, charged, audited, and resumed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from penchant.cli import main
from penchant.datasets import Dataset
from penchant.privacy.charges import Charges
from penchant.privacy.events import GaussianSum
from penchant.privacy.ledger import read_ledger
from penchant.rundir import RunDirectory
from penchant.server.checkpoints import Checkpoints
from penchant.simulation.federation import Federation, resolve_guarantee
from penchant.simulation.run import Watch, simulate
from penchant.simulation.settings import RunSettings, load_settings
from penchant.simulation.world import World
from penchant.strategies import HeadState
from penchant.types import Unit
from tests.simulation.flower_world import NoJournal

COMMON = (
    "privacy.delta=0.0001",
    "privacy.clip_quantile=0.5",
    "privacy.clip_bound=0.001",
    "model.width=8",
    "encoder.whiten_rank=16",
    "evaluate_every=0",
    "training.max_history=20",
    "training.negatives=64",
    "training.adapter_steps=0",
    "training.final_adapter_steps=0",
)


def _settings(*assignments: str) -> RunSettings:
    return load_settings(None, {}, (*COMMON, *assignments))


def _bound(run: RunDirectory) -> float:
    found = Checkpoints(run.checkpoints).latest()
    assert found is not None
    assert found[0].clip_bound is not None
    return found[0].clip_bound


def _findings(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    main(["audit", "verify", str(run.root), "--allow-unsigned", "--format", "json"])
    return {f["check"]: f for f in json.loads(capsys.readouterr().out)["findings"]}


@pytest.fixture(scope="module")
def followed(movielens_100k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    assert movielens_100k.behaviours.n_users == 943
    settings = _settings("federation.rounds=10", "privacy.clip_learning_rate=1.0")
    return simulate(settings, tmp_path_factory.mktemp("following") / "run")


def test_the_bound_grows_towards_the_norms_and_each_round_is_one_charge(
    followed: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        _bound(followed) > 10 * 0.001
    )  # it began far below the norms, where nearly every vote says "outside"
    stated = followed.read_settings()["privacy"]
    charges = Charges(read_ledger(followed.ledger_path)).all()
    assert [charge.event for charge in charges] == [GaussianSum(stated["noise_multiplier"], Unit.USER)] * 10
    assert followed.read_metrics()[-1]["epsilon"] == pytest.approx(8.0, rel=1e-3)
    assert followed.read_metrics()[-1]["clip_bound"] == _bound(followed)
    findings = _findings(followed, capsys)
    assert all(findings[name]["ok"] for name in findings if name != "configuration"), findings


@pytest.mark.parametrize(
    ("privacy", "doubt"),
    [
        ({"update_noise_multiplier": 1.0}, "update and votes together have noise multiplier"),
        ({"votes_noise_multiplier": None}, "disagree on whether the clip bound followed"),
    ],
)
def test_an_audit_sees_votes_that_were_not_paid_for(
    followed: RunDirectory, privacy: dict[str, Any], doubt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = followed.read_settings()
    try:
        followed.write_settings({**record, "privacy": {**record["privacy"], **privacy}})
        assert doubt in _findings(followed, capsys)["events"]["detail"]
    finally:
        followed.write_settings(record)


def test_following_costs_its_share_and_no_more() -> None:
    fixed = resolve_guarantee(_settings("privacy.clip_quantile=null"), 943)
    follows = resolve_guarantee(_settings("privacy.clip_share=0.05"), 943)
    assert follows.event == fixed.event
    assert follows.server_noise_multiplier == pytest.approx(fixed.noise_multiplier / 0.95**0.5)
    assert follows.following is not None
    assert follows.following.noise_multiplier == pytest.approx(fixed.noise_multiplier / 0.05**0.5)


def test_a_node_of_many_and_a_node_each_vote_alike(small_world: Callable[..., World]) -> None:
    moved: list[HeadState] = []
    for engine in ("cohort", "flower"):
        chosen = ("federation.rounds=3", "privacy.clip_bound=0.05", "privacy.reproducible_noise=true")
        settings = _settings(*chosen, f"engine={engine}")
        federation = Federation.of(settings, small_world(30, settings))
        moved.append(federation.train(federation.initial_state(), NoJournal()))
    assert moved[0].clip_bound == pytest.approx(moved[1].clip_bound, rel=1e-9)
    assert moved[0].clip_bound != pytest.approx(0.05)
    assert np.allclose(moved[0].head, moved[1].head, atol=1e-5)


def test_a_resumed_run_goes_on_with_the_bound_it_had(movielens_100k: Dataset, tmp_path: Path) -> None:
    assert movielens_100k.behaviours.n_users == 943
    settings = _settings("federation.rounds=4", "privacy.reproducible_noise=true")

    class Stop(Exception):
        pass

    def stop_at_the_second(row: dict[str, Any]) -> None:
        if row["round"] == 2:
            raise Stop

    whole = simulate(settings, tmp_path / "whole")
    with pytest.raises(Stop):
        simulate(settings, tmp_path / "stopped", watch=Watch(round=stop_at_the_second))
    resumed = simulate(settings, tmp_path / "stopped", resume=True)
    assert _bound(resumed) == _bound(whole)
    expected, found = load_file(whole.shared_path), load_file(resumed.shared_path)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
