"""Ctrl-C in the middle of a run: it says how to go on, and going on does each round once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROUNDS = 30
ROOT = Path(__file__).parents[2]

# As in a terminal: whoever starts the tests in the background leaves them deaf to Ctrl-C.
START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from penchant.cli import main
sys.exit(main())
"""


def command(shop: Path, out: Path, *more: str) -> list[str]:
    settings = {
        "model.width": "4",
        "encoder.whiten_rank": "8",
        "privacy.reproducible_noise": "true",
        "training.final_adapter_steps": "1",
    }
    flags = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    return [
        *(
            sys.executable,
            "-W",
            "ignore",
            "-c",
            "import sys; from penchant.cli import main; sys.exit(main())",
        ),
        *("simulate", "--data", str(shop)),
        *("--rounds", str(ROUNDS), "--delta", "0.01", "--out", str(out), *flags, *more),
    ]


@pytest.mark.timeout(600)
def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    lines = [f"u{u},i{(u + 3 * day) % 10},{1_000_000 + day}" for u in range(20) for day in range(6)]
    (shop / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    titles = [f"i{i},Lamp number {i}" for i in range(10)]
    (shop / "items.csv").write_text("\n".join(["item_id,title", *titles]) + "\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    process = subprocess.Popen(
        command(shop, tmp_path / "run"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics, deadline = tmp_path / "run" / "metrics.jsonl", time.monotonic() + 400
    while not metrics.is_file() or not metrics.read_text():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=200)
    assert process.returncode == 130, told
    assert "--resume" in told
    assert 0 < len(metrics.read_text().splitlines()) < ROUNDS, "the run was over before it was interrupted"

    resumed = command(shop, tmp_path / "run", "--resume")
    subprocess.run(resumed, env=environment, check=True, capture_output=True)
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [row["round"] for row in rows] == list(range(1, ROUNDS + 1))
    assert (tmp_path / "run" / "shared.safetensors").is_file()
