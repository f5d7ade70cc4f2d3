"""What finished runs tell about a planned one: its time, its traffic, and how accurate it may become."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Final

from penchant.errors import BadInput
from penchant.rundir import RunDirectory, read_json
from penchant.types import Unit

_METRICS: Final = ("hr@10", "ndcg@10")


@dataclass(frozen=True, slots=True)
class PastRun:
    """A finished run. epsilon: spent, None where nothing was protected.  cohort: people a round, on average."""

    name: str
    data: str
    people: int
    unit: Unit
    noise_at: str
    sampling: str
    epsilon: float | None
    rounds: int
    cohort: float
    seconds_per_update: float
    bytes_up: float
    bytes_down: float
    accuracy: dict[str, float]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a planned run will probably take and reach.

    bytes_up, bytes_down: of all people in all rounds.  accuracy: test, whole catalogue; empty where no run is near.
    learnt_from: the runs that it is taken from, and how.
    """

    seconds: float
    bytes_up: float
    bytes_down: float
    accuracy: dict[str, float]
    learnt_from: list[str]


def past_runs(folders: Iterable[Path]) -> list[PastRun]:
    """Every finished run among these directories and their subdirectories. What is no finished run is passed over."""
    found = (RunDirectory(file.parent) for folder in folders for file in sorted(folder.rglob("run.json")))
    return [run for run in map(_past, found) if run is not None]


def expected(
    past: Sequence[PastRun],
    *,
    data: str | None,
    unit: Unit,
    epsilon: float | None,
    rounds: int,
    cohort: int | None,
) -> Expected | None:
    """From runs on the same data; None where there is none, or nobody knows how many people take part.

    Time and traffic: from the run whose cohort is nearest, of the same unit where there is one.
    Accuracy: among runs of the same unit, between the two that differ in epsilon alone and lie to either side of it, or
    else that of the nearest one, unchanged.
    """
    same = [run for run in past if data is None or run.data == data]
    cohort = cohort or (same[0].people if same and data is not None else None)
    if not same or cohort is None:
        return None
    alike = [run for run in same if run.unit is unit]
    nearest = min(alike or same, key=lambda run: abs(log(run.cohort / cohort)))
    updates = rounds * cohort
    accuracy, told = _accuracy(alike, epsilon, rounds, cohort)
    return Expected(
        seconds=updates * nearest.seconds_per_update,
        bytes_up=updates * nearest.bytes_up,
        bytes_down=updates * nearest.bytes_down,
        accuracy=accuracy,
        learnt_from=[f"time and bytes per update of {nearest.name}", *told],
    )


def _accuracy(
    runs: Sequence[PastRun], epsilon: float | None, rounds: int, cohort: int
) -> tuple[dict[str, float], list[str]]:
    if not runs:
        return {}, []

    def distance(run: PastRun) -> float:
        far = abs(log(run.rounds / rounds)) + abs(log(run.cohort / cohort))
        if epsilon is not None and run.epsilon:
            far += abs(log(run.epsilon / epsilon))
        return far

    near = min(runs, key=distance)
    other = _across(runs, near, epsilon)
    if other is None or near.epsilon is None or other.epsilon is None or epsilon is None:
        return near.accuracy, [f"accuracy of {_told(near)}, the nearest run"]
    share = log(epsilon / near.epsilon) / log(other.epsilon / near.epsilon)
    between = {
        name: (1 - share) * near.accuracy[name] + share * other.accuracy[name] for name in near.accuracy
    }
    return between, [f"accuracy between {_told(near)} and {_told(other)}"]


def _across(runs: Sequence[PastRun], near: PastRun, epsilon: float | None) -> PastRun | None:
    """The nearest run on epsilon's other side that is like `near` otherwise."""
    if epsilon is None or near.epsilon is None or near.epsilon == epsilon:
        return None
    alike = (near.rounds, near.cohort, near.sampling, near.noise_at)
    others = [
        run
        for run in runs
        if run.epsilon is not None
        and (run.rounds, run.cohort, run.sampling, run.noise_at) == alike
        and (run.epsilon - epsilon) * (near.epsilon - epsilon) < 0
    ]
    return min(others, key=lambda run: abs(log((run.epsilon or 1) / epsilon)), default=None)


def _told(run: PastRun) -> str:
    spent = "no privacy" if run.epsilon is None else f"epsilon {run.epsilon:.2f}"
    return f"{run.name} ({spent}, {run.rounds} rounds of {run.cohort:.0f})"


def _past(run: RunDirectory) -> PastRun | None:
    try:
        record, rows = run.read_settings(), run.read_metrics()
        cost, privacy = record["cost"], record["privacy"]
        accuracy = read_json(run.evaluation_path)["test"]["full"]
        updates = cost["client_updates"]
        return PastRun(
            name=run.root.name,
            data=record["settings"]["data"],
            people=record["dataset"]["n_users"],
            unit=Unit(privacy["unit"]),
            noise_at=privacy["noise_at"],
            sampling=privacy["sampling"],
            epsilon=rows[-1]["epsilon"],
            rounds=len(rows),
            cohort=updates / len(rows),
            seconds_per_update=cost["seconds"] / updates,
            bytes_up=cost["bytes_up"] / updates,
            bytes_down=cost["bytes_down"] / updates,
            accuracy={name: accuracy[name] for name in _METRICS},
        )
    except (BadInput, KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
        return None  # unfinished, or of another version: it tells nothing
