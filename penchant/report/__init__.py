"""From a saved run to JSON and HTML. Reads the run directory alone and imports no engine."""

from penchant.report._cards import cards_page
from penchant.report._controller import Controller, read_controller
from penchant.report._frontier import draw_frontier, frontier_record
from penchant.report._page import page
from penchant.report._past import Expected, PastRun, expected, past_runs
from penchant.report._record import report_record
from penchant.report._saved import SavedRun
from penchant.report._words import epsilon_in_full
from penchant.report._write import write_report

__all__ = [
    "Controller",
    "Expected",
    "PastRun",
    "SavedRun",
    "cards_page",
    "draw_frontier",
    "epsilon_in_full",
    "expected",
    "frontier_record",
    "page",
    "past_runs",
    "read_controller",
    "report_record",
    "write_report",
]
