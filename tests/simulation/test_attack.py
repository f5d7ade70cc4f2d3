"""The audit by attack finds planted mistakes in the production code, and cannot refute an honest claim."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penchant.cli import main
from penchant.errors import BadInput
from penchant.simulation.attack import Attack, attack, claiming
from penchant.simulation.attack.planted import Mistake, mistake_named, planted
from penchant.simulation.settings import RunSettings, load_settings
from penchant.simulation.world import World
from penchant.types import NoiseAt, Unit

CLAIM = 1.5
MECHANISMS = [(Unit.USER, NoiseAt.SERVER), (Unit.EVENT, NoiseAt.SERVER), (Unit.EVENT, NoiseAt.CLIENT)]
Small = Callable[..., World]


def _settings(unit: Unit, noise_at: NoiseAt, rounds: int = 4) -> RunSettings:
    flags = {"privacy.unit": unit, "privacy.noise_at": noise_at, "federation.rounds": rounds}
    narrow = (
        "model.width=16",
        "encoder.whiten_rank=48",
        "training.chunk_length=3",
        "training.adapter_steps=0",
    )
    return claiming(load_settings(None, flags, narrow), CLAIM)


def _attacked(small_world: Small, path: Path, settings: RunSettings) -> Attack:
    few = settings.privacy.noise_at is NoiseAt.CLIENT  # each of these canaries trains by Opacus on its own
    count, guesses = (80, 50) if few else (300, 100)
    return attack(settings, small_world(40, settings), path / "shadow", canaries=count, guesses=guesses)


@pytest.mark.parametrize(("unit", "noise_at"), [*MECHANISMS, (Unit.USER, NoiseAt.CLIENT)])
def test_an_honest_claim_stands(small_world: Small, tmp_path: Path, unit: Unit, noise_at: NoiseAt) -> None:
    found = _attacked(small_world, tmp_path, _settings(unit, noise_at))
    assert found.claim.epsilon == pytest.approx(CLAIM, rel=1e-3)
    assert found.claim.unit is unit
    assert found.bound.epsilon < CLAIM < found.bound.most
    assert not found.refuted
    assert 0.2 < found.model.auc < 0.8


@pytest.mark.parametrize("mistake", Mistake)
@pytest.mark.parametrize(("unit", "noise_at"), MECHANISMS)
def test_a_planted_mistake_is_found(
    small_world: Small, tmp_path: Path, unit: Unit, noise_at: NoiseAt, mistake: Mistake
) -> None:
    with planted(mistake):
        found = _attacked(small_world, tmp_path, _settings(unit, noise_at))
    assert found.claim.epsilon == pytest.approx(CLAIM, rel=1e-3)  # the ledger believes all is well
    assert found.bound.epsilon > CLAIM
    assert found.refuted


def test_a_planted_mistake_is_gone_afterwards(small_world: Small, tmp_path: Path) -> None:
    with planted(Mistake.NO_NOISE):
        pass
    assert not _attacked(small_world, tmp_path, _settings(*MECHANISMS[0])).refuted


def test_what_cannot_be_attacked_is_said(small_world: Small, tmp_path: Path) -> None:
    settings = _settings(Unit.USER, NoiseAt.SERVER)
    world = small_world(40, settings)
    with pytest.raises(BadInput, match="need a head of as many"):
        attack(settings, world, tmp_path / "a", canaries=50_000, guesses=10)
    with pytest.raises(BadInput, match="too few"):
        attack(_settings(*MECHANISMS[0], rounds=2), world, tmp_path / "b", canaries=10, guesses=10)
    none = load_settings(None, {"privacy.unit": "none"})
    with pytest.raises(BadInput, match="claims nothing"):
        attack(none, world, tmp_path / "c", canaries=10, guesses=10)
    with pytest.raises(BadInput, match="no-noise, tenth-noise"):
        mistake_named("nonsense")


@pytest.mark.parametrize(("planted_flags", "code"), [([], 0), (["--plant", "no-noise"], 1)])
def test_the_command_exits_with_what_was_proved(
    small_world: Small,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    planted_flags: list[str],
    code: int,
) -> None:
    monkeypatch.setattr("penchant.simulation.world.build_world", lambda settings: small_world(40, settings))
    flags = ["--rounds", "4", "--canaries", "300", "--guesses", "100", "--format", "json", "--quiet"]
    assert main(["audit", "attack", *flags, *planted_flags]) == code
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert record["refuted"] is bool(code)
    assert record["bound"]["guesses"] == 100
    assert record["claim"]["epsilon"] == pytest.approx(2.0, rel=1e-3)
