"""Stock Flower simulation (Ray actors) and the in-process Grid give the same shared head."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.simulation.flower_world import NoJournal, federation_of_eight

pytest.importorskip("ray", reason="stock Flower simulation needs the extra `ray`")

pytestmark = pytest.mark.xdist_group("ray")
"""Two Ray clusters at once starve each other on two cores."""

# In a process of its own: Ray starts servers and threads that a test process should not inherit.
STOCK = """
import sys
import numpy as np
from flwr.simulation import run_simulation
from tests.simulation.flower_world import PEOPLE, federation_of_eight
from penchant.client.app import Person, client_app
from penchant.server.app import server_app

federation = federation_of_eight()

class Nodes:
    def __init__(self, grid):
        self._grid = grid
    def people(self):
        while len(nodes := sorted(self._grid.get_node_ids())) < PEOPLE:
            pass
        return nodes
    def nodes(self, people):
        return {node: () for node in people}

class Keep:
    def charge(self, round_, event, draw):
        pass
    def persist(self, state, summary):
        assert summary.admitted == PEOPLE, summary
        np.save(sys.argv[1], state.head)

def person_at(context):
    here = federation_of_eight()
    number = int(context.node_config["partition-id"])
    return Person(here.world.histories[number], here.stores.of(number), lambda round_: None)

run_simulation(
    server_app(
        lambda grid: federation._strategy(federation.initial_state(), Keep(), Nodes(grid)),
        rounds=2,
        deadline_seconds=200,
    ),
    client_app(federation._plan(), person_at),
    num_supernodes=PEOPLE,
    backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
)
"""


@pytest.mark.usefixtures("movielens_100k")
def test_stock_flower_simulation_gives_the_same_head(tmp_path: Path) -> None:
    root, out = Path(__file__).parents[2], tmp_path / "head.npy"
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "FLWR_HOME": str(tmp_path),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", STOCK, str(out)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert out.exists(), done.stderr[-3000:]
    federation = federation_of_eight()
    start = federation.initial_state()
    ours = federation.train(start, NoJournal())
    assert np.abs(ours.head - start.head).max() > 1e-3, "nothing was learned, so nothing was compared"
    assert np.abs(ours.head - np.load(out)).max() < 1e-5
