"""A peer as a process: told round by round, so that runs are interleaved; watched for time, processor and memory."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np

from benchmarks.environments import Peer, python_of, variables

_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A peer that ended before it should, and its last words."""


class Running:
    """One peer at work. seconds, cpu: of each round so far."""

    def __init__(self, peer: Peer, work: Path, logs: Path, *options: str) -> None:
        self.peer = peer
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        self._log = logs / f"{peer.name.replace(' ', '-').replace(',', '')}-{work.stem}.log"
        with self._log.open("w") as errors:
            self._process = subprocess.Popen(
                [python_of(peer), "-m", peer.module, str(work), *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=variables(),
                text=True,
                bufsize=1,
            )
        self._heard()
        self._imported = time.perf_counter()
        self.startup = 0.0

    def first(self) -> None:
        """The warm-up round: the time since the imports that is more than a round takes is start-up."""
        self._ask(round=0, noisy=True)
        self.startup = time.perf_counter() - self._imported

    def round(self, number: int, *, noisy: bool = True, reset: bool = False) -> None:
        before = self._cpu_seconds()
        seconds = self._ask(round=number, noisy=noisy, reset=reset)["seconds"]
        self.cpu.append(self._cpu_seconds() - before)
        self.seconds.append(seconds)

    def head(self, path: Path) -> np.ndarray:
        """float32[n_shared], as trained so far."""
        self._ask(save=str(path))
        return np.load(path)

    def peak_mb(self) -> float:
        """Resident memory at its highest, added up over the peer's processes."""
        return sum(_high_water(pid) for pid in self._tree()) / 1024

    def end(self) -> None:
        """Close its ear; a peer that does not leave by itself is ended, and what it started with it."""
        tree = self._tree()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            for pid in tree:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            self._process.wait()

    def _ask(self, **order: object) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        return self._heard()

    def _heard(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise Failed(f"{self.peer.name} ended: {self._log.read_text()[-2000:]}")
        return json.loads(line)

    def _tree(self) -> list[int]:
        """The process and all that descend from it."""
        parents = {pid: _stat(pid)[1] for pid in _pids() if _stat(pid)}
        found = [self._process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found

    def _cpu_seconds(self) -> float:
        stats = [_stat(pid) for pid in self._tree()]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats if stat) / _TICKS


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[int]:
    """Fields of /proc/PID/stat from the state on, as numbers; empty for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    state, *numbers = text.rpartition(")")[2].split()
    return [ord(state), *map(int, numbers)]


def _high_water(pid: int) -> int:
    """Kilobytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0][1]) if lines else 0
