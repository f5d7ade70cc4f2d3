"""Stock Flower simulation (Ray actors) and the in-process Grid give the same shared head."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penchant.simulation.federation import Federation
from penchant.simulation.world import World
from tests.simulation.conftest import settings_of

pytest.importorskip("ray", reason="stock Flower simulation needs the extra `ray`")

PEOPLE = 8
SETTINGS = (
    "privacy.unit=none",
    "engine=client",
    "optimizer.learning_rate=0.05",
    "federation.rounds=2",
    "optimizer.schedule=constant",
)

# In a process of its own, since Ray starts servers and threads that a test process should not inherit.
STOCK = """
import logging, sys
from pathlib import Path
import numpy as np
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.simulation import run_simulation
from tests.simulation.flower_world import PEOPLE, federation_of_eight
from penchant.client.app import client_app, Person
from penchant.server import server_app
from penchant.strategies import InterestStrategy

out = Path(sys.argv[1])
federation = federation_of_eight()

class Nodes:
    def __init__(self, grid): self._grid = grid
    def people(self):
        while len(nodes := sorted(self._grid.get_node_ids())) < PEOPLE: pass
        return nodes
    def nodes(self, people): return {node: () for node in people}

class Keep:
    def charge(self, round_, event): pass
    def persist(self, state, summary):
        assert summary.admitted == PEOPLE, summary
        np.save(out, state.head)

def strategy_for(grid):
    return federation._strategy(federation.initial_state(), Keep(), Nodes(grid))

def person_at(context):
    here = federation_of_eight()
    number = int(context.node_config["partition-id"])
    return Person(here.world.histories[number], here.stores.of(number), lambda round_: None)

def make_client(context=None):
    return client_app(federation_of_eight()._plan(), person_at)

run_simulation(
    server_app(strategy_for, rounds=2, deadline_seconds=120),
    client_app(federation._plan(), person_at),
    num_supernodes=PEOPLE,
    backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
)
"""


def test_stock_flower_simulation_gives_the_same_head(
    small_world: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "head.npy"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STOCK, str(out)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    from tests.simulation.flower_world import NoJournal, federation_of_eight

    federation = federation_of_eight()
    ours = federation.train(federation.initial_state(), NoJournal())
    assert np.abs(ours.head - federation.initial_state().head).max() > 1e-3
    assert np.abs(ours.head - np.load(out)).max() < 1e-5
