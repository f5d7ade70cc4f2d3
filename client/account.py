"""What a device has spent for life, in a file beside its store: all that an erasure keeps.

It holds noise multipliers, sampling rates, numbers of releases, and the unit that they protected. So it tells that
somebody took part, how often and under which noise, and nothing of what they did. It is in the clear because it
outlives every key. One account counts one unit: what protects a single event and what protects a
person have no common price.
"""

import json
from pathlib import Path
from typing import Any, Final

from penchant.client.store import Charge
from penchant.errors import BadInput
from penchant.rundir import write_atomically
from penchant.types import Unit

FILE: Final = "account.json"


def read_account(path: Path) -> tuple[Charge, ...]:
    """Nothing where there is no file. Raises: BadInput for a file that is no account."""
    return _read(path)[0]


def claim_account(path: Path, unit: Unit) -> None:
    """Count releases that protect `unit` here, and no others, for life. Claimed again for the same, nothing changes.

    Raises: BadInput where the account counts another unit.
    """
    charges, counted = _read(path)
    if counted is None:
        _write(path, charges, unit)
    elif counted is not unit:
        raise BadInput(
            f"{path}: what was spent here protects one {counted.value}, this federation protects one {unit.value}: "
            f"one epsilon cannot stand for both. Join federations that protect one {counted.value}, or none"
        )


def _read(path: Path) -> tuple[tuple[Charge, ...], Unit | None]:
    """The unit is None before a federation has claimed the account."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        unit = record.get("unit")
        return tuple(charge_of(one) for one in record["charges"]), None if unit is None else Unit(unit)
    except FileNotFoundError:
        return (), None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path}: not an account of spent budget ({error}); without it nothing is trained: restore it"
        ) from error


def write_account(path: Path, charges: tuple[Charge, ...]) -> None:
    """Durable when this returns. A figure in the file never goes down."""
    before, unit = _read(path)
    _write(path, larger(before, charges), unit)


def _write(path: Path, charges: tuple[Charge, ...], unit: Unit | None) -> None:
    record = {"charges": charges} | ({} if unit is None else {"unit": unit.value})
    write_atomically(path, json.dumps(record).encode() + b"\n")


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
