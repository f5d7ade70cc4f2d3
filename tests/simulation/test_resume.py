"""A killed run that is resumed ends where an uninterrupted one does; its ledger never shows less than came out."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from penchant.datasets import Dataset
from penchant.errors import BadInput
from penchant.privacy.charges import Charges
from penchant.privacy.ledger import read_ledger
from penchant.rundir import RunDirectory
from penchant.simulation.run import simulate
from penchant.simulation.settings import load_settings

ROUNDS = 4
SETTINGS = (
    "privacy.reproducible_noise=true",
    "privacy.delta=0.001",
    "model.width=8",
    "encoder.whiten_rank=16",
    "training.max_history=20",
    f"federation.rounds={ROUNDS}",
    "training.negatives=64",
    "training.final_adapter_steps=2",
)

# The process that is killed: it stops for ever at the named moment, as if it were slow, and says so.
VICTIM = """
import sys, time
from pathlib import Path
from penchant.privacy.ledger import Ledger
from penchant.server.checkpoints import Checkpoints
from penchant.simulation.cohort import CohortEngine
from penchant.simulation.run import simulate
from penchant.simulation.settings import load_settings

moment, out, *assignments = sys.argv[1:]

def hang(*_, **__):
    Path(out + ".reached").touch()
    time.sleep(600)

def at_second(original):
    calls = []
    def counted(*args, **kwargs):
        calls.append(1)
        return hang() if len(calls) == 2 else original(*args, **kwargs)
    return counted

def after_second(original):
    calls = []
    def counted(*args, **kwargs):
        result = original(*args, **kwargs)
        calls.append(1)
        return hang() if len(calls) == 2 else result
    return counted

kind, owner, name = {
    "before the charge": (at_second, Ledger, "resume"),
    "after the charge": (after_second, Ledger, "resume"),
    "while training": (after_second, CohortEngine, "answer"),
    "before the checkpoint": (at_second, Checkpoints, "save"),
    "after the checkpoint": (after_second, Checkpoints, "save"),
    "after persisting": (after_second, Ledger, "persisted"),
    "after the release": (after_second, Ledger, "released"),
    "after publishing": (after_second, Ledger, "published"),
}[moment]
setattr(owner, name, kind(getattr(owner, name)))
simulate(load_settings(None, {}, assignments), Path(out))
"""


@pytest.fixture(scope="module")
def shop(movielens_100k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The settings, on thirty real people and what they saw."""
    folder = tmp_path_factory.mktemp("shop")
    behaviours, catalogue = movielens_100k.behaviours, movielens_100k.catalogue
    events = slice(0, int(behaviours.offsets[30]))
    items = sorted(set(behaviours.items[events].tolist()))
    rows = {
        "user_id": [behaviours.user_ids[u] for u in behaviours.users[events]],
        "item_id": [catalogue.item_ids[i] for i in behaviours.items[events]],
        "rating": behaviours.values[events],
        "timestamp": behaviours.at[events],
    }
    pl.DataFrame(rows).write_csv(folder / "interactions.csv")
    titles = {
        "item_id": [catalogue.item_ids[i] for i in items],
        "title": [catalogue.titles[i] for i in items],
    }
    pl.DataFrame(titles).write_csv(folder / "items.csv")
    return (*SETTINGS, f"data={folder}")


@pytest.fixture(scope="module")
def uninterrupted(shop: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return simulate(load_settings(None, {}, shop), tmp_path_factory.mktemp("run") / "whole")


def killed(moment: str, out: Path, settings: tuple[str, ...]) -> None:
    """Start a run, wait until it reaches `moment` in its second round, and kill it without warning."""
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", VICTIM, moment, str(out), *settings])
    reached, deadline = Path(f"{out}.reached"), time.monotonic() + 240
    while not reached.exists():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    "moment",
    [
        "before the charge",
        "after the charge",
        "while training",
        "before the checkpoint",
        "after the checkpoint",
        "after persisting",
        "after the release",
        "after publishing",
    ],
)
def test_a_killed_run_ends_like_one_that_was_not(
    moment: str, shop: tuple[str, ...], uninterrupted: RunDirectory, tmp_path: Path
) -> None:
    killed(moment, tmp_path / "run", shop)
    before = Charges(read_ledger(tmp_path / "run" / "ledger.sqlite"))
    finished = len([c for c in before.all() if c.went_out])
    assert len(before.spent()) >= finished >= 1

    run = simulate(load_settings(None, {}, shop), tmp_path / "run", resume=True)
    for ours, theirs in (
        (run.shared_path, uninterrupted.shared_path),
        (run.personal / "adapters.safetensors", uninterrupted.personal / "adapters.safetensors"),
    ):
        for name, values in load_file(theirs).items():
            assert np.array_equal(load_file(ours)[name], values)
    charges = Charges(read_ledger(run.ledger_path))
    assert sorted(c.round for c in charges.all() if c.went_out) == list(range(1, ROUNDS + 1))
    assert len(charges.spent()) >= ROUNDS


def test_what_cannot_be_resumed_says_why(
    shop: tuple[str, ...], uninterrupted: RunDirectory, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="nothing to resume"):
        simulate(load_settings(None, {}, shop), tmp_path / "none", resume=True)
    with pytest.raises(BadInput, match="a run is here already"):
        simulate(load_settings(None, {}, shop), uninterrupted.root)
    with pytest.raises(BadInput, match="settings differ"):
        simulate(load_settings(None, {}, (*shop, "seed=1")), uninterrupted.root, resume=True)
