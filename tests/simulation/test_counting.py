"""Counts are federated, noised once, charged before they exist, and taken up again after a stop."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from penchant.cli import main
from penchant.errors import BadInput, CheckFailed, PenchantError
from penchant.interest.counting import item_counts, pair_counts
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.calibrate import gaussian_epsilon_of, gaussian_loss_for
from penchant.privacy.charges import Charges
from penchant.privacy.checks import UNSIGNED_CHECKS
from penchant.privacy.events import GaussianSum
from penchant.privacy.ledger import read_ledger
from penchant.privacy.verify import verify
from penchant.rundir import RunDirectory
from penchant.score import Scorer
from penchant.server.counting import CountJournal
from penchant.simulation.federation import Federation
from penchant.simulation.run import load_run, simulate
from penchant.simulation.settings import RunSettings, load_settings
from penchant.simulation.world import World
from penchant.strategies.counting import What
from penchant.types import F32, Unit
from tests.simulation.flower_world import NoJournal

Small = Callable[[int, RunSettings], World]
COUNTING = (
    "company.items=40",
    "federation.rounds=0",
    "training.adapter_steps=0",
    "training.final_adapter_steps=0",
    "model.width=4",
    "encoder.whiten_rank=8",
    "privacy.delta=0.001",
)


def _settings(*assignments: str, data: str = "movielens-100k") -> RunSettings:
    return load_settings(None, {"data": data}, (*COUNTING, *assignments))


def _counted(federation: Federation) -> tuple[F32, ...]:
    assert federation.counting is not None
    released: list[F32] = []
    for what in federation.counting.guarantees:
        told = np.concatenate([np.empty(0, np.float32), *released])
        released.append(federation.count(what, told, NoJournal()))
    return tuple(released)


def _doubts(run: RunDirectory) -> dict[str, str]:
    findings = verify(run, UNSIGNED_CHECKS, key=None, witness=None).findings
    return {f.check: f.detail for f in findings if not f.ok and f.check != "configuration"}


@pytest.mark.parametrize("unit", [Unit.NONE, Unit.USER, Unit.EVENT])
@pytest.mark.parametrize("more", ["company.gate_share=0.2", "company.ordered=true"])
def test_people_as_nodes_and_people_in_a_cohort_are_counted_alike(
    small_world: Small, unit: Unit, more: str
) -> None:
    terms = (f"privacy.unit={unit}", "privacy.reproducible_noise=true", more)
    engines = [_settings(*terms, f"engine={engine}") for engine in ("cohort", "flower")]
    counted = [_counted(Federation.of(settings, small_world(8, settings))) for settings in engines]
    for one, other in zip(*counted, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, atol=1e-5 * max(1.0, float(np.abs(one).max())))


@pytest.mark.parametrize("ordered", ["true", "false"])
def test_without_noise_a_count_is_the_sum_of_what_everybody_sends(small_world: Small, ordered: str) -> None:
    settings = _settings("privacy.unit=none", f"company.ordered={ordered}")
    world = small_world(8, settings)
    federation = Federation.of(settings, world)
    items, pairs = _counted(federation)
    terms = federation.counting
    assert terms is not None
    chosen = terms.chosen(items)
    expected_items, expected_pairs = np.zeros(len(items)), np.zeros(chosen.n_pairs)
    for history in world.histories:
        own = item_counts(history, settings.company, Unit.NONE)
        expected_items[own.cells] += own.weights
        own = pair_counts(history, chosen, settings.company, Unit.NONE)
        expected_pairs[own.cells] += own.weights
    np.testing.assert_allclose(items, expected_items, atol=1e-5)
    np.testing.assert_allclose(pairs, expected_pairs, atol=1e-5)


@pytest.mark.parametrize("unit", [Unit.USER, Unit.EVENT])
def test_the_noise_in_a_count_is_what_is_charged(small_world: Small, unit: Unit) -> None:
    """Within 10%: over 1,682 numbers a true standard deviation strays by 1.7%, so further once in 10^8 runs."""
    settings = _settings(f"privacy.unit={unit}")
    federation = Federation.of(settings, small_world(8, settings))
    terms = federation.counting
    assert terms is not None
    first, again = _counted(federation), _counted(federation)
    for what, one, other in zip(terms.guarantees, first, again, strict=True):
        if what is What.ITEMS:  # pairs rest on which items were chosen, and those differ
            assert np.std(one - other) / np.sqrt(2) == pytest.approx(terms.noise(what), rel=0.1)


def test_counts_are_charged_before_the_rounds_and_served_from(shop: Path, tmp_path: Path) -> None:
    run = simulate(
        _settings("federation.rounds=2", "company.share=0.6", "privacy.epsilon=20.0", data=str(shop)),
        tmp_path / "run",
    )
    charges = Charges(read_ledger(run.ledger_path)).all()
    assert [(c.purpose, c.round) for c in charges] == [
        ("items", 0),
        ("pairs", 0),
        ("update", 1),
        ("update", 2),
    ]
    stated = run.read_settings()["privacy"]["counts_noise_multipliers"]
    assert [c.event for c in charges[:2]] == [GaussianSum(stated[w], Unit.USER) for w in ("items", "pairs")]
    assert _doubts(run) == {}
    served = load_run(run)
    assert served.serving.company is not None
    assert main(["export", str(run.root), "--quiet"]) == 0
    scorer, histories = Scorer.load(run.root / "score.onnx"), served.world.histories[:9]
    exported = [scorer.scores(history) for history in histories]
    np.testing.assert_allclose(exported, served.serving.scores(histories), rtol=1e-5, atol=1e-5)
    assert run.read_settings()["cost"]["client_updates"] == 4 * 60


def test_a_report_says_what_the_budget_went_to(shop: Path, tmp_path: Path) -> None:
    terms = (
        "federation.rounds=2",
        "company.share=0.6",
        "company.popularity_share=0.25",
        "privacy.epsilon=20.0",
    )
    run = simulate(_settings(*terms, data=str(shop)), tmp_path / "run")
    assert main(["report", str(run.root), "--format", "json"]) == 0
    said = json.loads(run.report_json_path.read_text())["privacy"]
    shares = {part["purpose"]: part["share"] for part in said["split"]}
    assert shares == pytest.approx({"items": 0.15, "pairs": 0.45, "update": 0.4}, rel=1e-3)
    assert "counts of items and of pairs" in said["mechanism"]["name"]
    assert "the counts of items and of pairs" in " ".join(said["covered"])
    assert "noise multiplier" in run.report_html_path.read_text()


def test_a_statement_of_counts_alone_speaks_of_no_updates(shop: Path, tmp_path: Path) -> None:
    run = simulate(_settings("privacy.epsilon=5.0", data=str(shop)), tmp_path / "run")
    assert main(["report", str(run.root), "--format", "json"]) == 0
    said = json.loads(run.report_json_path.read_text())["statement"]
    assert said["contribution_cap"].startswith("to each count, a person adds a vector of length 1")
    assert "head" not in " ".join(row["sees"] for row in said["trust"])


def test_a_plan_of_counts_alone_says_what_the_run_then_spends(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Path("recipes/movielens-1m-user.toml").resolve()
    assert main(["plan", str(recipe), "--epsilon", "5", "--delta", "0.001", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    run = simulate(
        _settings("privacy.epsilon=5.0", "company.popularity_share=0.04", data=str(shop)), tmp_path / "run"
    )
    assert said["counts"] == run.read_settings()["privacy"]["counts_noise_multipliers"]
    assert said["epsilon"] <= 5.0


def test_tuning_on_the_same_people_is_priced_in_the_report(shop: Path, tmp_path: Path) -> None:
    run = simulate(_settings("privacy.epsilon=5.0", "trials=8", data=str(shop)), tmp_path / "run")
    assert main(["report", str(run.root), "--format", "json"]) == 0
    told = " ".join(json.loads(run.report_json_path.read_text())["privacy"]["not_covered"])
    nine_times = gaussian_epsilon_of(3 * gaussian_loss_for(5.0, delta=0.001), delta=0.001)
    assert "8 were tried" in told
    assert f"ε would be {nine_times:.0f}" in told


def test_the_whole_budget_goes_to_counts_where_nothing_is_trained(shop: Path, tmp_path: Path) -> None:
    run = simulate(_settings("privacy.epsilon=5.0", data=str(shop)), tmp_path / "run")
    spent = PLDAccountant().epsilon(Charges(read_ledger(run.ledger_path)).spent(), delta=0.001)
    assert 4.95 < spent <= 5.0
    assert _doubts(run) == {}


def test_a_count_that_was_changed_or_uncharged_is_doubted(shop: Path, tmp_path: Path) -> None:
    run = simulate(_settings("privacy.epsilon=5.0", data=str(shop)), tmp_path / "run")
    path = run.counts / "pairs.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "not what the ledger charged for pairs" in _doubts(run)["counts"]
    path.unlink()
    assert "pairs" in _doubts(run)["counts"]
    path.write_bytes(whole)
    (run.counts / "triples.safetensors").write_bytes(whole)
    assert "triples" in _doubts(run)["counts"]


def test_a_stop_after_the_first_count_is_taken_up_there(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings("privacy.epsilon=5.0", data=str(shop))
    persist = CountJournal.persist

    def stopped(self: CountJournal, *arguments: object) -> None:
        if self._what is What.PAIRS:
            raise PenchantError("pulled the plug")
        persist(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(CountJournal, "persist", stopped)
        with pytest.raises(PenchantError, match="plug"):
            simulate(settings, tmp_path / "run")
    before = (RunDirectory(tmp_path / "run").counts / "items.safetensors").read_bytes()
    run = simulate(settings, tmp_path / "run", resume=True)
    assert (run.counts / "items.safetensors").read_bytes() == before
    assert [c.purpose for c in Charges(read_ledger(run.ledger_path)).all()] == ["items", "pairs"]
    assert _doubts(run) == {}


def test_a_count_that_was_released_and_lost_is_never_drawn_again(shop: Path, tmp_path: Path) -> None:
    settings = _settings("privacy.epsilon=5.0", data=str(shop))
    run = simulate(settings, tmp_path / "run")
    (run.counts / "items.safetensors").unlink()
    with pytest.raises(CheckFailed, match="lost or changed"):
        simulate(settings, tmp_path / "run", resume=True)


def test_votes_on_the_gate_are_charged_said_and_taken_up_again(shop: Path, tmp_path: Path) -> None:
    terms = ("company.gate_share=0.2", "company.popularity_share=0.25", "privacy.epsilon=20.0")
    settings = _settings(*terms, "privacy.reproducible_noise=true", data=str(shop))
    run = simulate(settings, tmp_path / "run")
    assert [c.purpose for c in Charges(read_ledger(run.ledger_path)).all()] == ["items", "pairs", "votes"]
    assert _doubts(run) == {}
    assert main(["report", str(run.root), "--format", "json"]) == 0
    said = json.loads(run.report_json_path.read_text())["privacy"]
    shares = {part["purpose"]: part["share"] for part in said["split"]}
    assert shares == pytest.approx({"items": 0.2, "pairs": 0.6, "votes": 0.2}, rel=1e-3)
    assert said["epsilon"] <= 20
    assert "votes" in said["mechanism"]["name"]
    assert "votes" in " ".join(said["covered"])
    first = load_run(run).serving.company
    assert first is not None
    save_file(
        {name: tensor for name, tensor in first.tensors().items() if name != "target"}, run.company_path
    )
    with pytest.raises(BadInput, match="by an earlier version; make the run again"):
        load_run(run)
    run.company_path.unlink()
    again = load_run(simulate(settings, run.root, resume=True)).serving.company
    assert again is not None
    assert (first.gate.learned == again.gate.learned).all()
    assert len(first.gate.learned) > 0
