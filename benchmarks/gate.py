"""What CI holds: our processor time a client against a resident PyTorch loop's, in the same minute on the same machine.

    python -m benchmarks.gate --floor 4

Processor time, not wall time, and rounds in turns, so that a machine that is busy otherwise slows both alike. Both run
in this environment. Exit code 1 when the ratio is below the floor, or the weights differ.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from benchmarks import works
from benchmarks.compare import TOLERANCE, compare
from benchmarks.environments import LOOP

_PEOPLE, _REPEATS = 200, 5


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m benchmarks.gate")
    options.add_argument(
        "--floor", type=float, required=True, help="lowest ratio of processor times that passes"
    )
    told = options.parse_args()
    loop = dataclasses.replace(LOOP, environment=None)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = compare("head", works.head(_PEOPLE), [loop], folder=Path(folder), repeats=_REPEATS)
    if ours.cpu_ms_per_client is None or theirs.cpu_ms_per_client is None:
        raise SystemExit(theirs.note or ours.note)
    ratio = theirs.cpu_ms_per_client / ours.cpu_ms_per_client
    print(f"resident loop / cohort engine, processor time: {ratio:.2f} (floor {told.floor:g})")
    return int(not passes(ratio, theirs.weights_differ, floor=told.floor))


def passes(ratio: float, weights_differ: float | None, *, floor: float) -> bool:
    """Fast enough, and the same weights: a ratio of other results says nothing."""
    return ratio >= floor and weights_differ is not None and weights_differ <= TOLERANCE


if __name__ == "__main__":
    sys.exit(main())
