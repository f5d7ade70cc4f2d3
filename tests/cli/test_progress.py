"""What a person sees while a federation trains: rounds, epsilon so far, clients a second, time left."""

import io

from rich.console import Console

from penchant.cli._output import Output
from penchant.cli._simulation import _note

ROW = {"epsilon": 1.5, "validation": None, "clients": 600, "seconds": 0.5}


def test_a_rounds_note_tells_the_budget_and_the_speed() -> None:
    assert _note(ROW) == "ε 1.50  1,200 clients/s"
    assert _note({**ROW, "epsilon": None}) == "1,200 clients/s"


def test_the_bar_shows_rounds_done_of_all_and_the_time_that_is_left() -> None:
    output, screen = Output(), io.StringIO()
    output._progress_console = Console(file=screen, force_terminal=True, width=140, color_system=None)
    with output.progress("rounds", 4) as tick:
        tick(note=_note(ROW))
    shown = screen.getvalue()
    assert "1/4" in shown
    assert "ε 1.50" in shown
    assert "clients/s" in shown
    assert shown.count("0:00:0") >= 2 or "-:--:--" in shown, "neither elapsed nor remaining time"
