"""Write both reports into the run's own directory."""

from collections.abc import Sequence
from typing import Any

from penchant.report._controller import Controller
from penchant.report._page import page
from penchant.report._record import report_record
from penchant.report._saved import SavedRun
from penchant.rundir import RunDirectory, write_atomically, write_json


def write_report(
    run: RunDirectory, *, compare: Sequence[RunDirectory] = (), controller: Controller | None = None
) -> dict[str, Any]:
    """Write report.json and report.html, each whole or not at all, and return the record.

    compare: runs on the same data that stand beside this one.  controller: what a person says for the statement.
    Raises: BadInput for a run that is unfinished, incomplete or of other data; CheckFailed for a broken ledger.
    """
    record = report_record(
        SavedRun.read(run, controller=controller), [SavedRun.read(other) for other in compare]
    )
    shown = page(record)
    write_json(run.report_json_path, record)
    write_atomically(run.report_html_path, shown.encode())
    return record
