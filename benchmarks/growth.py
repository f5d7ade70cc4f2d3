"""How time and memory grow with the number of clients: the same people repeated, one process a point."""

import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.environments import OURS
from benchmarks.process import Running
from benchmarks.work import Work

CLIENTS = (100, 1_000, 10_000, 100_000)
_ROUNDS = {100: 15, 1_000: 9, 10_000: 5, 100_000: 3}


def growth(work: Work, folder: Path) -> list[dict[str, Any]]:
    """Rows of clients, ms_per_client (median), ms_min, ms_max, peak_mb, run in turns."""
    running = {}
    for clients in CLIENTS:
        print(f"growth: {clients:,} clients", file=sys.stderr)
        base = min(clients, len(work.histories))
        path = folder / f"growth-{base}.npz"
        Work(work.vectors, work.histories[:base], work.head, work.settings, work.negatives).save(path)
        running[clients] = Running(OURS, path, folder, "--repeat", str(clients // base))
        running[clients].first()
    for repeat in range(max(_ROUNDS.values())):
        for clients, one in running.items():
            if repeat < _ROUNDS[clients]:
                one.round(1 + repeat)
    rows = []
    for clients, one in running.items():
        ms = [1000 * seconds / clients for seconds in one.seconds]
        rows.append(
            {
                "clients": clients,
                "ms_per_client": statistics.median(ms),
                "ms_min": min(ms),
                "ms_max": max(ms),
                "peak_mb": one.peak_mb(),
            }
        )
        one.end()
    return rows
