"""`penchant doctor`: is this machine ready, and what is missing."""

from rich.table import Table
from rich.text import Text

from penchant.cli._app import app
from penchant.cli._machine import Check, State, examine
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import EnvironmentMissing

_STYLE = {State.READY: "green", State.ABSENT: "yellow", State.MISSING: "red"}


@app.command()
def doctor(fmt: FormatOption = Format.TABLE, quiet: QuietOption = False, _debug: DebugOption = False) -> int:
    """Check that this machine is ready, and say what is missing."""
    output = Output(fmt, quiet=quiet)
    with output.progress("Looking at this machine", None) as tick:
        checks = []
        for check in examine():
            checks.append(check)
            tick(note=check.name)
    ready = all(check.state is not State.MISSING for check in checks)
    output.result({"ready": ready, "checks": [check.record() for check in checks]}, _table(checks))
    return 0 if ready else EnvironmentMissing.exit_code


def _table(checks: list[Check]) -> Table:
    table = Table("what", "state", title="penchant doctor")
    table.add_column("found", overflow="fold")
    table.add_column("cure", overflow="fold")
    for check in checks:
        state = Text(check.state, style=_STYLE[check.state])
        table.add_row(check.name, state, Text(check.found), Text(check.cure))
    return table
