"""What a device has spent for life, in a file beside its store: all that an erasure keeps.

It holds noise multipliers, sampling rates and numbers of releases. So it tells that somebody took part, how often and
under which noise, and nothing of what they did. It is in the clear because it outlives every key.
"""

import json
from pathlib import Path
from typing import Any, Final

from penchant.client.store import Charge
from penchant.errors import BadInput
from penchant.rundir import write_atomically

FILE: Final = "account.json"


def read_account(path: Path) -> tuple[Charge, ...]:
    """Nothing where there is no file. Raises: BadInput for a file that is no account."""
    try:
        written = json.loads(path.read_text(encoding="utf-8"))["charges"]
        return tuple(charge_of(one) for one in written)
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path}: not an account of spent budget ({error}); without it nothing is trained: restore it"
        ) from error


def write_account(path: Path, charges: tuple[Charge, ...]) -> None:
    """Durable when this returns. A figure in the file never goes down."""
    kept = larger(read_account(path), charges)
    write_atomically(path, json.dumps({"charges": kept}).encode() + b"\n")


def larger(one: tuple[Charge, ...], other: tuple[Charge, ...]) -> tuple[Charge, ...]:
    """For each mechanism the larger number of releases: what a stale copy of either cannot lower."""
    most: dict[tuple[float, float], int] = {}
    for charges in (totals(one), totals(other)):
        for mechanism, steps in charges.items():
            most[mechanism] = max(steps, most.get(mechanism, 0))
    return tuple((z, rate, steps) for (z, rate), steps in most.items())


def totals(charges: tuple[Charge, ...]) -> dict[tuple[float, float], int]:
    """Releases by mechanism. The price does not depend on their order."""
    found: dict[tuple[float, float], int] = {}
    for z, rate, steps in charges:
        found[z, rate] = found.get((z, rate), 0) + steps
    return found


def charge_of(written: Any) -> Charge:
    """Raises: ValueError, TypeError."""
    z, rate, steps = written
    if not (float(z) > 0 and 0 < float(rate) <= 1 and int(steps) >= 0):
        raise ValueError(f"{written!r} is no charge")
    return float(z), float(rate), int(steps)
