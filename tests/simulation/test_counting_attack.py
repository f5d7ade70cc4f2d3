"""Attack on the pair counts: each canary's whole contribution stands in one cell that nobody else touches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penchant.privacy.one_run import EmpiricalBound, lower_bound
from penchant.simulation.federation import Federation
from penchant.simulation.planted import Mistake, planted
from penchant.simulation.settings import load_settings
from penchant.simulation.world import build_world
from penchant.strategies.counting import What
from tests.simulation.flower_world import NoJournal

CANARIES = 300
GUESSES = 200
EPSILON = 2.0
TERMS = (
    f"company.items={2 * CANARIES}",
    "company.popularity_share=0.01",
    "federation.rounds=0",
    "model.width=4",
    "encoder.whiten_rank=8",
    "privacy.delta=1e-5",
    f"privacy.epsilon={EPSILON}",
)


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Person p chose items 2p and 2p + 1, and then one item that all share, which the split holds out."""
    folder = tmp_path_factory.mktemp("canaries")
    lines = [
        f"u{p:04d},{item},{1_000_000 + at}"
        for p in range(CANARIES)
        for at, item in enumerate((f"i{2 * p}", f"i{2 * p + 1}", "all", "rest"))
    ]
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    return folder


def _attacked(folder: Path, mistake: Mistake | None) -> EmpiricalBound:
    settings = load_settings(None, {"data": str(folder)}, TERMS)
    world = build_world(settings)
    included = np.random.default_rng(0).random(CANARIES) < 0.5
    nothing = np.empty(0, np.int32)
    histories = tuple(h if here else nothing for h, here in zip(world.histories, included, strict=True))
    federation = Federation.of(settings, replace(world, histories=histories))
    terms = federation.counting
    assert terms is not None
    everything = np.ones(len(world.dataset.catalogue), np.float32)
    for history in world.histories:  # so that every canary's items are counted in pairs
        everything[history] = 2.0
    with planted(mistake):
        pairs = federation.count(What.PAIRS, everything, NoJournal())
    place = terms.chosen(everything).place
    own = [place[history] for history in world.histories]
    cells = np.array([terms.chosen(everything).cell(p[:1], p[1:])[0] for p in own])
    return lower_bound(pairs[cells].astype(np.float64), included, guesses=GUESSES, delta=1e-5)


def test_an_honest_count_is_not_refuted_though_the_attack_sees_something(canaries: Path) -> None:
    found = _attacked(canaries, None)
    assert found.right > 0.55 * GUESSES  # the attack has power
    assert found.epsilon <= EPSILON


def test_a_tenth_of_the_noise_is_refuted(canaries: Path) -> None:
    assert _attacked(canaries, Mistake.A_TENTH_OF_THE_NOISE).epsilon > EPSILON


def test_no_noise_is_refuted(canaries: Path) -> None:
    assert _attacked(canaries, Mistake.NO_NOISE).epsilon > EPSILON
