"""How fast a device recommends, and what it holds: `python benchmarks/device.py [N_ITEMS …]`.

By a head, by counted company, and by both.

Random weights of the default shape: what is timed depends on sizes alone. Each size runs in a process of its own, one
thread. Timed is what a person waits for: one more event is recorded in the encrypted store, durably, then the agent's
list is made: scores of all items, what is seen or hidden left out, the ten best, and their reasons.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from penchant.interest.company import Company

SIZES: Final = (10_000, 100_000)
EVENTS: Final = 50
LISTS: Final = 300
DIMENSION: Final = 128


SERVED: Final = ("head", "company", "both")


def export(n_items: int, served: str, path: Path) -> None:
    """Write a model of the default settings for a catalogue of that size."""
    from penchant.catalogue import Catalogue
    from penchant.client.score_graph import write_score_graph
    from penchant.config import ModelSettings
    from penchant.interest import InterestModel

    ids = tuple(f"item {n}" for n in range(n_items))
    vectors = np.random.default_rng(0).normal(size=(n_items, DIMENSION)).astype(np.float32)
    model = InterestModel(vectors, ModelSettings(), seed=0)
    catalogue = Catalogue(ids, ids, ids, (("category",),) * n_items)
    write_score_graph(
        path,
        model,
        catalogue,
        max_history=EVENTS,
        origin="",
        belongs_to="",
        company=None if served == "head" else company(n_items),
        head_weight=0.5 if served == "both" else 0.0,
    )


def company(n_items: int) -> "Company":
    """As long and as wide as a counted one, with a gate that looks at the whole history."""
    from penchant.config import CompanySettings
    from penchant.interest.company import Company
    from penchant.interest.gate import STAGES

    settings, random = CompanySettings(), np.random.default_rng(2)
    shape = (n_items, settings.neighbours)
    return Company.read(
        {
            "neighbours": random.integers(0, n_items, shape),
            "excess": random.random(shape, np.float32),
            "liked": random.random(n_items, np.float32) + np.float32(0.01),
            "new": np.zeros(0),
            "alike": np.zeros((n_items, 0)),
            "gate": np.array([[1.0, 1000.0]] * len(STAGES)),
        },
        settings,
    )


def measure(path: Path) -> dict[str, float | str]:
    """Milliseconds from a new event to the list that counts it, and MB held."""
    from penchant.client.device_store import DeviceStore
    from penchant.client.preferences import Preferences
    from penchant.client.recommending import Recommender
    from penchant.client.sealing import KeyFile
    from penchant.score import Scorer
    from penchant.types import Event, Kind

    start = time.perf_counter()
    scorer = Scorer.load(path)
    loaded = time.perf_counter() - start
    rng = np.random.default_rng(1)
    adapter = rng.normal(0, 0.1, scorer.adapter_size).astype(np.float32)
    recorded, took = [], []
    with DeviceStore.create(path.with_suffix(""), KeyFile(rng.bytes(32))) as store:
        store.keep_adapter(adapter, belongs_to="")
        store.set_preferences(Preferences(blocked_categories=frozenset({"rare"}), age=30))
        recommender = Recommender(store, scorer)
        for n in range(EVENTS + LISTS):
            event = Event(f"item {rng.integers(0, len(scorer.items))}", Kind.VIEW, n)
            start = time.perf_counter()
            store.add([event])
            recorded.append(1000 * (time.perf_counter() - start))
            if n >= EVENTS:
                recommender.suggest(10)
                took.append(1000 * (time.perf_counter() - start))
    p50, p99 = np.percentile(took[10:], [50, 99])
    held = next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return {
        "served": path.stem.partition("-")[0],
        "items": len(scorer.items),
        "p50_ms": round(float(p50), 2),
        "p99_ms": round(float(p99), 2),
        "recording_p50_ms": round(float(np.median(recorded)), 2),
        "load_ms": round(1000 * loaded, 1),
        "resident_mb": round(held, 1),
        "file_mb": round(path.stat().st_size / 2**20, 1),
    }


def main(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for n_items in sizes or SIZES:
            for served in SERVED:
                path = Path(folder) / f"{served}-{n_items}.onnx"
                export(n_items, served, path)
                subprocess.run([sys.executable, __file__, "--measure", str(path)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        main([int(one) for one in sys.argv[1:]])
