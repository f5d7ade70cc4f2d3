"""The audit by attack on counts: planted mistakes are found, honest counts are not refuted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penchant.cli import main
from penchant.errors import BadInput
from penchant.simulation.attack import Attack, attack, claiming
from penchant.simulation.attack.planted import Mistake, planted
from penchant.simulation.attack.shadow_counts import _coins
from penchant.simulation.settings import RunSettings, load_settings
from penchant.simulation.world import World
from penchant.types import Unit

CLAIM = 2.0
RECIPE = Path(__file__).parents[2] / "recipes" / "movielens-100k-user.toml"
COUNTED = (
    "federation.rounds=0",
    "company.items=400",
    "company.window=4",
    "company.half_life=100",
    "company.popularity_share=0.3",
    "model.width=4",
    "encoder.whiten_rank=48",
)
FOUND = [
    *((Unit.USER, mistake) for mistake in Mistake if mistake is not Mistake.SAME_NOISE_EACH_ROUND),
    *((Unit.EVENT, mistake) for mistake in (Mistake.NO_NOISE, Mistake.A_TENTH_OF_THE_NOISE, Mistake.NO_CLIP)),
]
"""Each count is one release, and a mean of events' counts that is clipped tells less, not more."""
Small = Callable[..., World]


def _settings(unit: Unit, *more: str) -> RunSettings:
    return claiming(load_settings(None, {"privacy.unit": unit}, (*COUNTED, *more)), CLAIM)


def _attacked(small_world: Small, path: Path, unit: Unit, *more: str) -> Attack:
    settings = _settings(unit, *more)
    return attack(settings, small_world(100, settings), path / "shadow", canaries=800, guesses=240)


@pytest.mark.parametrize("unit", [Unit.USER, Unit.EVENT])
def test_an_honest_count_stands_though_the_attack_sees_something(
    small_world: Small, tmp_path: Path, unit: Unit
) -> None:
    found = _attacked(small_world, tmp_path, unit, "company.gate_share=0.1")
    assert found.claim.epsilon == pytest.approx(CLAIM, rel=2e-3)
    assert found.claim.unit is unit
    assert found.bound.right > 0.5 * found.bound.guesses  # the attack hears something
    assert found.bound.epsilon < CLAIM < found.bound.most
    assert not found.refuted
    assert 0.2 < found.model.auc < 0.8
    assert "items, pairs and votes" in found.sees


@pytest.mark.parametrize(("unit", "mistake"), FOUND)
def test_a_planted_mistake_is_found(small_world: Small, tmp_path: Path, unit: Unit, mistake: Mistake) -> None:
    with planted(mistake):
        found = _attacked(small_world, tmp_path, unit)
    assert found.claim.epsilon == pytest.approx(CLAIM, rel=2e-3)  # the ledger believes all is well
    assert found.refuted


def test_coins_are_read_off_what_is_heard_where_there_is_no_noise() -> None:
    rng = np.random.default_rng(0)
    moves, coins = rng.normal(size=(20, 50)), rng.random(20) < 0.5
    spread = 1e-6
    told = _coins(moves @ moves.T / spread, moves @ (coins @ moves) / spread)
    np.testing.assert_allclose(told, coins, atol=1e-3)


def test_more_canaries_than_pairs_are_refused(small_world: Small, tmp_path: Path) -> None:
    settings = _settings(Unit.USER)
    world = small_world(40, settings)
    with pytest.raises(BadInput, match="leave room for 19900"):
        attack(settings, world, tmp_path / "a", canaries=20_000, guesses=10)


def test_a_mistake_that_counts_cannot_make_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "attack", str(RECIPE), "--plant", "same-noise"]) == 2
    assert "released once" in capsys.readouterr().err


@pytest.mark.parametrize(("flags", "code"), [([], 0), (["--plant", "no-noise"], 1)])
def test_a_recipe_that_only_counts_is_attacked_there(
    small_world: Small,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    code: int,
) -> None:
    monkeypatch.setattr("penchant.simulation.world.build_world", lambda settings: small_world(40, settings))
    few = ["--canaries", "300", "--guesses", "150", "--quiet"]
    assert main(["audit", "attack", str(RECIPE), *few, *flags]) == code
    assert "the noised sums of items and pairs" in capsys.readouterr().out
