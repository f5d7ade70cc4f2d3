"""The limits' table: what a round asks of the machine is counted, not guessed."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COUNTED = """
import json
from dataclasses import asdict
from benchmarks import works
from benchmarks.demand import demand
from benchmarks.limits import Bound
from benchmarks.tables import shown

work = works.head(20)
paths = [work, works.private(work, "user", "server"), works.private(work, "event", "client")]
limits = {"matmul_gflops": 100.0, "cached_copy_gb_per_s": 10.0, "noise_million_per_s": 50.0}
asked = [demand(path) for path in paths]
bounds = [Bound.of("path", 1.0, one, limits) for one in asked]
print(json.dumps({
    "asked": [asdict(one) for one in asked],
    "bounds": [one.record() for one in bounds],
    "table": shown([], [], limits, bounds),
}))
"""


def test_each_path_is_held_against_what_it_asks_of_the_machine() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COUNTED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    plain, user, event = told["asked"]
    assert plain["megaflops"] > 0
    assert plain["noise"] == 0
    assert user["megaflops"] > plain["megaflops"], "the clip's norm is arithmetic too"
    assert user["noise"] == event["noise"] == 28_800 / 20
    for asked, bound in zip(told["asked"], told["bounds"], strict=True):
        floors = {
            "arithmetic": asked["megaflops"] / 100,
            "memory traffic": asked["megabytes"] / 10,
            "noise": asked["noise"] / 50_000,
        }
        assert bound["binds"] == max(floors, key=lambda name: floors[name])
        assert abs(bound["share"] - max(floors.values())) < 1e-9
        assert abs(bound["matmul_share"] - floors["arithmetic"]) < 1e-9
        assert bound["binds"] in told["table"]
