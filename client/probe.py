"""Look whether a client is alive: `python -m penchant.client.probe HOME` ends with 0 or 1."""

import json
import sys
import time
from pathlib import Path
from typing import Final

CONNECTION: Final = "connection.json"
"""In a device's folder: what its client does now. Touched every few seconds, except while it trains."""

_LONGEST_SILENCE: Final = 900.0


def alive(home: Path) -> bool:
    """Whether a client of this device runs, be it that it waits."""
    path = home / CONNECTION
    try:
        phase = json.loads(path.read_text(encoding="utf-8"))["phase"]
        return phase != "stopped" and time.time() - path.stat().st_mtime < _LONGEST_SILENCE
    except (OSError, ValueError, KeyError):
        return False


if __name__ == "__main__":
    sys.exit(not alive(Path(sys.argv[1])))
