"""When a device may train: on power, idle, on a network that costs nothing, as far as the machine tells."""

import shutil
import subprocess
from dataclasses import dataclass

import psutil
from pydantic import Field

from penchant.config import Settings


class Conditions(Settings):
    """What has to hold before the device takes part in a round. What a machine does not tell counts as met."""

    on_power: bool = True
    """Not while it runs on its battery."""

    least_battery: int = Field(default=0, ge=0, le=100)
    """Least charge in percent, on power too."""

    idle_below: float = Field(default=100.0, gt=0, le=100)
    """Most load of the processor, in percent, over half a second; 100 asks nothing."""

    unmetered: bool = True
    """Not on a connection that the system calls metered (NetworkManager tells)."""

    least_free_mb: int = Field(default=500, ge=0)
    """Memory that must be free."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine tells of itself; None where it does not."""

    plugged: bool | None
    battery: float | None
    load: float
    metered: bool | None
    free_mb: float

    @classmethod
    def now(cls) -> "Machine":
        battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
        return cls(
            plugged=None if battery is None else battery.power_plugged,
            battery=None if battery is None else battery.percent,
            load=psutil.cpu_percent(interval=0.5),
            metered=_metered(),
            free_mb=psutil.virtual_memory().available / 2**20,
        )


def unmet(conditions: Conditions, machine: Machine) -> list[str]:
    """The conditions that do not hold, in words; empty when the device may train."""
    doubts = {
        "on battery": conditions.on_power and machine.plugged is False,
        f"battery at {machine.battery}%": (machine.battery or 100) < conditions.least_battery,
        f"processor at {machine.load:.0f}%": conditions.idle_below < 100
        and machine.load > conditions.idle_below,
        "metered network": conditions.unmetered and machine.metered is True,
        f"{machine.free_mb:.0f} MB of memory free": machine.free_mb < conditions.least_free_mb,
    }
    return [doubt for doubt, holds in doubts.items() if holds]


def _metered() -> bool | None:
    """NetworkManager's word on the connection in use."""
    program = shutil.which("nmcli")
    if program is None:
        return None
    try:
        told = subprocess.run(
            [program, "--get-values", "GENERAL.METERED", "device", "show"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return any(line.startswith("yes") for line in told.stdout.splitlines())
