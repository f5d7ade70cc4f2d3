"""When a device takes part, and how it comes back after it was not let in."""

import random
from dataclasses import replace

import pytest

from penchant.client.conditions import Conditions, Machine, unmet
from penchant.client.supernode import Backoff

AT_REST = Machine(plugged=True, battery=80.0, load=5.0, metered=False, free_mb=4000.0)


def test_a_machine_at_rest_takes_part() -> None:
    assert unmet(Conditions(idle_below=50, least_battery=50), AT_REST) == []


@pytest.mark.parametrize(
    ("machine", "conditions", "doubt"),
    [
        (replace(AT_REST, plugged=False), Conditions(), "on battery"),
        (replace(AT_REST, battery=20.0), Conditions(least_battery=30), "battery at 20.0%"),
        (replace(AT_REST, load=90.0), Conditions(idle_below=50), "processor at 90%"),
        (replace(AT_REST, metered=True), Conditions(), "metered network"),
        (replace(AT_REST, free_mb=100.0), Conditions(), "100 MB of memory free"),
    ],
)
def test_each_condition_holds_the_device_back_by_itself(
    machine: Machine, conditions: Conditions, doubt: str
) -> None:
    assert unmet(conditions, machine) == [doubt]


def test_what_a_machine_does_not_tell_counts_as_met() -> None:
    silent = Machine(plugged=None, battery=None, load=100.0, metered=None, free_mb=4000.0)
    assert unmet(Conditions(least_battery=50), silent) == []


def test_this_machine_tells_something() -> None:
    now = Machine.now()
    assert 0 <= now.load <= 100
    assert now.free_mb > 0


def test_attempts_grow_rare_but_never_stop_and_a_success_starts_anew() -> None:
    backoff = Backoff(source=random.Random(1))
    waits = [backoff.failed() for _ in range(40)]
    assert waits[0] <= 1
    assert waits[3] > waits[0]
    assert all(150 <= wait <= 300 for wait in waits[10:])
    assert len(set(waits[10:])) > 20, "devices that fail together come back together"
    backoff.succeeded()
    assert backoff.failed() <= 1
