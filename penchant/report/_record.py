"""report.json: everything that a run's report says, from the saved run alone."""

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from penchant.errors import BadInput
from penchant.report._people import fairness_section, people_section
from penchant.report._privacy import privacy
from penchant.report._saved import SavedRun
from penchant.report._statement import measured, statement
from penchant.report._words import stamps, summary

VERSION: Final = 1
"""Changes when a key changes its meaning or leaves."""

_PROVENANCE: Final = (
    "seed",
    "dataset",
    "catalogue_digest",
    "encoder",
    "code",
    "versions",
    "settings",
    "model",
    "started_at",
    "finished_at",
)


def report_record(saved: SavedRun, others: Sequence[SavedRun] = ()) -> dict[str, Any]:
    """The report of one run, beside others on the same data. Follows schema.json.

    Raises: BadInput where a file of the run lacks a field, or another run is of other data.
    """
    try:
        return _report(saved, others)
    except KeyError as error:
        raise BadInput(
            f"{saved.root}: field {error} is missing; the run is incomplete or of another version"
        ) from error


def _report(saved: SavedRun, others: Sequence[SavedRun]) -> dict[str, Any]:
    evaluation, protected = saved.evaluation, privacy(saved)
    fairness = fairness_section(saved.people, seed=saved.record["seed"])
    report: dict[str, Any] = {
        "version": VERSION,
        "run": saved.name,
        "stamps": stamps(protected, learned=_learned(saved)),
        "accuracy": {
            key: evaluation.get(key) for key in ("split", "test", "validation", "shared_only", "cold")
        },
        "baselines": evaluation["baselines"],
        "privacy": protected,
        "statement": _statement(saved, protected, fairness),
        "fairness": fairness,
        "people": people_section(saved.people),
        "rounds": [_finite(row) for row in saved.rounds],
        "cost": saved.record["cost"],
        "comparison": [_compared(run, of=saved) for run in others],
        "provenance": {
            **{key: saved.record[key] for key in _PROVENANCE},
            "lineage": saved.record.get("lineage"),
        },
    }
    return {**report, "summary": summary(report)}


def _statement(saved: SavedRun, protected: dict[str, Any], fairness: dict[str, Any]) -> dict[str, Any] | None:
    if saved.charges is None:
        return None
    return statement(
        protected,
        saved.record,
        saved.charges,
        saved.entries,
        saved.controller,
        saved.attack,
        name=saved.name,
        utility=measured(saved.evaluation["test"], fairness),
        released=saved.released,
    )


def _learned(saved: SavedRun) -> bool:
    """False where a run took another's head, and learned nothing from its own people."""
    settings = saved.record["settings"]
    counted = settings.get("company", {}).get("items", 0)
    return not saved.record.get("lineage") or settings["federation"]["rounds"] > 0 or counted > 0


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """A limit of infinity is no limit: JSON knows neither, so both are null."""
    return {
        key: None if isinstance(value, float) and not isfinite(value) else value for key, value in row.items()
    }


def _compared(other: SavedRun, *, of: SavedRun) -> dict[str, Any]:
    if other.record["dataset"]["digest"] != of.record["dataset"]["digest"]:
        raise BadInput(f"{other.root}: its data is not that of {of.root}; compare runs on the same data")
    return {
        "run": other.name,
        "test": other.evaluation["test"],
        "privacy": privacy(other),
        "cost": other.record["cost"],
    }
