"""Each peer's own environment: made on first use from pinned requirements, kept beside this file, ignored by git."""

import os
import platform
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parent
_ENVIRONMENTS = _HERE / ".environments"


@dataclass(frozen=True)
class Peer:
    """A name, the module that speaks for it, and the requirements of its environment; None runs in this one."""

    name: str
    module: str
    environment: str | None


OURS = Peer("penchant", "benchmarks.peers.penchant", None)
LOOP = Peer("PyTorch loop, resident model", "benchmarks.peers.loop", "torch")
FEDJAX = Peer("fedjax, compiled", "benchmarks.peers.fedjax_compiled", "fedjax")
PFL = Peer("pfl-research", "benchmarks.peers.pfl_research", "pfl")
FLOWER = Peer("Flower + Ray simulation", "benchmarks.peers.flower", "flower")
OPACUS = Peer("Opacus per client", "benchmarks.peers.opacus_client", "torch")
BLAZEFL = Peer("BlazeFL", "", "blazefl")


class Unavailable(Exception):
    """A peer that cannot be installed here, and why."""


def python_of(peer: Peer) -> str:
    """The interpreter that runs a peer. Raises: Unavailable with the installer's last words."""
    if peer.environment is None:
        return sys.executable
    folder = _ENVIRONMENTS / peer.environment
    requirements = _HERE / "requirements" / f"{peer.environment}.txt"
    python, ready = folder / "bin" / "python", folder / "ready.txt"
    if ready.is_file() and ready.read_text() == requirements.read_text():
        return str(python)
    print(f"making the environment of {peer.name} (once)", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    for wanted in (["--requirement", str(requirements)], ["--no-deps", "--editable", str(_ROOT)]):
        _install(python, wanted)
    ready.write_text(requirements.read_text())
    return str(python)


def _install(python: Path, wanted: list[str]) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-compile", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(_reason(done.stderr))


def variables(threads: int = 1) -> dict[str, str]:
    """One thread for each process, the repository's modules for all, and no peer that calls home."""
    return {
        **os.environ,
        "PYTHONPATH": str(_ROOT),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONWARNINGS": "ignore",
    }


def _reason(errors: str) -> str:
    """What pip said last, and which Python the newest release asks for where that is why."""
    needs = re.findall(r"Requires-Python ([^;\s]+)", errors)
    lines = [line for line in errors.splitlines() if line.startswith("ERROR:")]
    last = (lines or ["the installer gave no reason"])[-1].removeprefix("ERROR: ")
    if needs:
        here = platform.python_version()
        return f"{last}: its releases need Python {needs[0]} or, the latest, {needs[-1]}; this is {here}"
    return last[:200]
