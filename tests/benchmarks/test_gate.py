"""The engine stays ahead of a bare PyTorch loop: a change that makes it slower than that fails here."""

import subprocess
import sys
from pathlib import Path

FLOOR = "4"
ROOT = Path(__file__).parents[2]


def test_the_engine_takes_a_quarter_of_a_resident_loops_processor_time_at_most() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.gate", "--floor", FLOOR],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "processor time" in done.stdout


def test_a_slower_engine_or_other_weights_fail_the_gate() -> None:
    judged = (
        "from benchmarks.gate import passes;"
        "print(passes(3.9, 0.0, floor=4), passes(9.0, 1.0, floor=4), passes(9.0, 0.0, floor=4))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", judged], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False", "True"]
