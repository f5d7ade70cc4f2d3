"""Peers on one work: warmed up, run in turns, held to the same weights."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.environments import OURS, Peer, Unavailable
from benchmarks.process import Failed, Running
from benchmarks.work import Work

TOLERANCE = 1e-5
"""Largest difference from our weights that float32 arithmetic in another order may make."""

_QUIET_ROUNDS = 2


@dataclass(frozen=True)
class Row:
    """One peer on one work. Where a peer did not run, `note` says why and the figures are None."""

    work: str
    peer: str
    ms_per_client: float | None = None
    ms_min: float | None = None
    ms_max: float | None = None
    cpu_ms_per_client: float | None = None
    ratio_to_ours: float | None = None
    startup_s: float | None = None
    peak_mb: float | None = None
    weights_differ: float | None = None
    note: str = ""

    def record(self) -> dict[str, object]:
        return asdict(self)


def compare(
    name: str, work: Work, peers: Sequence[Peer], *, folder: Path, repeats: int, noisy: bool = False
) -> list[Row]:
    """Run `peers` beside ours, `repeats` rounds each, in turns. noisy: time with noise, compare weights without."""
    path = folder / f"{name.replace(' ', '-').replace(',', '')}.npz"
    work.save(path)
    running, rows = [], []
    for peer in (OURS, *peers):
        try:
            print(f"{name}: {peer.name} starts", file=sys.stderr)
            one = Running(peer, path, folder)
            one.first()
            running.append(one)
        except (Unavailable, Failed) as error:
            rows.append(Row(name, peer.name, note=f"not run: {error}"))
    for repeat in range(repeats):
        for one in running:
            one.round(1 + repeat)
    heads = [_trained(one, folder, noisy=noisy) for one in running]
    people = len(work.histories)
    ours = statistics.median(running[0].seconds[:repeats])
    for one, head in zip(running, heads, strict=True):
        rows.append(_row(name, one, people, ours, repeats, float(np.abs(head - heads[0]).max())))
        one.end()
    return rows


def _trained(one: Running, folder: Path, *, noisy: bool) -> np.ndarray:
    if noisy:
        for number in range(_QUIET_ROUNDS):
            one.round(number, noisy=False, reset=number == 0)
    return one.head(folder / "head.npy")


def _row(name: str, one: Running, people: int, ours: float, repeats: int, differ: float) -> Row:
    seconds, cpu = one.seconds[:repeats], one.cpu[:repeats]
    median = statistics.median(seconds)
    return Row(
        name,
        one.peer.name,
        ms_per_client=1000 * median / people,
        ms_min=1000 * min(seconds) / people,
        ms_max=1000 * max(seconds) / people,
        cpu_ms_per_client=1000 * statistics.median(cpu) / people,
        ratio_to_ours=median / ours,
        startup_s=max(0.0, one.startup - median),
        peak_mb=one.peak_mb(),
        weights_differ=differ,
        note="" if differ <= TOLERANCE else f"WEIGHTS DIFFER by {differ:.1e}",
    )
