"""A run that keeps people and items out, and is asked about them afterwards."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penchant.baselines import STRANGER_REFERENCES
from penchant.cli import main
from penchant.client.adapter_training import train_adapter
from penchant.datasets import Dataset, split_domains, write_dataset
from penchant.rundir import RunDirectory
from penchant.simulation.federation import Federation
from penchant.simulation.run import load_run
from penchant.simulation.world import build_world
from penchant.types import NO_ITEM
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


def test_newcomers_have_the_adapters_that_their_devices_would_train(tmp_path: Path) -> None:
    steps = ("training.final_adapter_steps=4", "training.adapter_learning_rate=0.5", "model.width=8")
    run = tmp_path / "run"
    assignments = [f"--set={text}" for text in (*KEPT_OUT, *steps, "encoder.whiten_rank=16")]
    assert main(["simulate", "--quiet", "--out", str(run), *assignments]) == 0
    finished = load_run(RunDirectory(run))
    plan, cold = finished.federation._plan(), finished.world.cold
    assert cold is not None
    histories = [cold.people.of(0).items[:5], cold.people.of(1).items[:0], cold.people.of(2).items[:1]]
    found = finished.newcomers(histories)
    untouched = plan.personal.read(plan.model)
    plan.shared.write(plan.model, finished.serving.head)
    on_device = train_adapter(
        plan.model,
        untouched.copy(),
        histories[0],
        layout=plan.personal,
        steps=4,
        settings=plan.training,
        negatives=plan.negatives(finished.settings.federation.rounds + 1),
    )
    assert found is not None
    np.testing.assert_allclose(found[0], on_device, rtol=1e-4, atol=1e-6)
    assert np.abs(found[0] - untouched).max() > 1e-3
    user = plan.personal.unflatten(found[1])["personal.user"]
    assert not user.any(), "who has done nothing has nothing to learn from"
    with_adapters = finished.serving.scores(histories, found)
    without = finished.serving.scores(histories, None)
    assert np.abs(with_adapters[0] - without[0]).max() > 1e-4
    np.testing.assert_allclose(with_adapters[1:], without[1:], rtol=1e-5)


def test_a_run_that_kept_nobody_out_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    rest = ["--set=privacy.unit=none", "--set=federation.rounds=1", "--set=model.width=8"]
    assert main(["simulate", "--quiet", "--out", str(run), *rest]) == 0
    assert main(["evaluate", str(run), "--cold", "people"]) == 2
    assert "hold_out.people" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--cold", "ghosts"]) == 2


def test_a_domain_that_is_new_to_people(
    movielens_100k: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained over two domains; people who were kept out are known in one and served in the other."""
    groups = {
        "drama": frozenset({"Drama", "Romance"}),
        "action": frozenset({"Action", "Adventure", "Sci-Fi"}),
    }
    few = replace(movielens_100k, behaviours=movielens_100k.behaviours.of_people(np.arange(120)), people={})
    made, run = split_domains(few, groups), str(tmp_path / "run")
    write_dataset(made, tmp_path / "two")
    counting = ("company.items=300", "company.tastes=10", "company.gate_share=0.1")
    rest = [f"--set={text}" for text in (*KEPT_OUT[::2], *counting, "model.width=8", "federation.rounds=1")]
    data = ["--data", str(tmp_path / "two"), "--target-domain", "drama"]
    assert main(["simulate", "--quiet", *data, "--out", run, *rest]) == 0
    finished = load_run(RunDirectory(Path(run)))
    world, company = build_world(finished.settings), finished.serving.company
    drama = world.dataset.catalogue.within("drama")
    assert drama[world.split.test[world.split.test != NO_ITEM]].all()
    assert not drama[np.concatenate(world.histories)].all()
    assert company is not None
    assert (company.tells == drama).all()
    assert company.gate.learned[0, 0] > 0  # what lies elsewhere helps before the first drama
    capsys.readouterr()
    asked = ["evaluate", run, "--cold", "domain", "--shots", "0,3", "--no-tune", "--format", "json"]
    assert main(asked) == 0
    found = json.loads(capsys.readouterr().out)["cold"]["domain"]
    assert {"penchant", "ease", "cross_domain_ease", "hybrid_weighted"} <= set(found["0"])
    assert found["0"]["ease"]["ndcg@10"] < found["0"]["cross_domain_ease"]["ndcg@10"]
    assert found["0"]["popularity"]["ndcg@10"] < found["0"]["penchant"]["ndcg@10"]
    assert main([*asked, "--target-domain", "opera"]) == 2
    assert "there are action, drama" in capsys.readouterr().err
    assert main(["recommend", run, "--user", world.dataset.behaviours.user_ids[0], "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)["items"]
    assert all(drama[world.dataset.catalogue.index[item["item_id"]]] for item in listed)
