"""Shards on Ray workers: the same weights as one process; a worker killed in the middle costs time and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the engine ray needs the extra `ray`")

pytestmark = pytest.mark.xdist_group("ray")
"""Two Ray clusters at once starve each other on two cores."""

# In a process of its own: Ray starts servers and threads that a test process should not inherit.
RUN = """
import json, os, signal, sys, threading, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from penchant.privacy.charges import Charges
from penchant.privacy.ledger import read_ledger
from penchant.simulation import federation as wiring
from penchant.simulation.run import simulate
from penchant.simulation.settings import load_settings
from safetensors.numpy import load_file

data, out = Path(sys.argv[1]), Path(sys.argv[2])
common = [
    f"data={data}", "privacy.reproducible_noise=true", "privacy.delta=0.01", "privacy.noise_at=client",
    "model.width=4", "encoder.whiten_rank=8", "federation.rounds=3", "training.final_adapter_steps=1",
    "training.adapter_steps=40",
]
killed = []

def at_work():
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if words.startswith(b"ray::train_shard"):
                return int(entry.name)

def kill_one():
    while not killed:
        pid = at_work()
        if pid:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        time.sleep(0.001)

threading.Thread(target=kill_one, daemon=True).start()
results = {}
for engine in ("ray", "cohort"):
    run = simulate(load_settings(None, {}, [*common, f"engine={engine}", "workers=2"]), out / engine)
    charges = Charges(read_ledger(run.ledger_path))
    results[engine] = (
        {**load_file(run.shared_path), **load_file(run.personal / "adapters.safetensors")},
        [(c.round, c.state.value) for c in charges.all()],
        json.loads((run.personal / "round-000003.json").read_text())["charges"],
    )
(ours, charged, accounts), (alone, charged_alone, accounts_alone) = results["ray"], results["cohort"]
print(json.dumps({
    "killed": len(killed),
    "differ": max(float(np.abs(ours[name] - alone[name]).max()) for name in alone),
    "charges": [charged, charged_alone],
    "accounts_equal": accounts == accounts_alone,
    "accounts": accounts[0],
}))
"""


def test_two_workers_give_one_process_weights_and_a_killed_one_is_retried_without_a_second_charge(
    tmp_path: Path,
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    lines = [f"u{u},i{(u + 3 * day) % 10},{1_000_000 + day}" for u in range(40) for day in range(8)]
    (shop / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    titles = [f"i{i},Lamp number {i}" for i in range(10)]
    (shop / "items.csv").write_text("\n".join(["item_id,title", *titles]) + "\n")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, str(shop), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["killed"] == 1, "no worker was killed, so nothing was retried"
    assert told["differ"] < 1e-5
    ours, alone = told["charges"]
    assert ours == alone
    assert [round_ for round_, _ in ours] == [1, 2, 3]
    assert told["accounts_equal"]
    assert told["accounts"][0][2] == 3, "each client pays once a round"
