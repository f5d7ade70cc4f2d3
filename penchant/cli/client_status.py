"""`penchant client status`: what this device does now, what it holds, what it has given."""

from typing import Any

from rich.table import Table

from penchant.cli._client import Home, KeyFileOption, client_app, opened
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@client_app.command()
def status(
    home: Home,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Say what the device does now, whether its person takes part, which head it has, and what it gave for life."""
    from penchant.client.account import FILE, read_account, totals
    from penchant.client.enrolment import Enrolment
    from penchant.client.probe import CONNECTION, alive
    from penchant.rundir import read_json

    del debug
    enrolment = Enrolment(home)
    with opened(home, key_file) as store:
        record: dict[str, Any] = {"consents": store.consents(), "events": len(store.events())}
    running = alive(home)
    record |= {
        "enrolled": enrolment.key_path.is_file(),
        "running": running,
        "phase": read_json(home / CONNECTION)["phase"] if running else "stopped",
        "head": enrolment.head_told(),
        "releases": sum(totals(read_account(home / FILE)).values()),
    }
    table = Table(title=str(home), show_header=False)
    for name, value in record.items():
        table.add_row(name, str(value))
    Output(fmt, quiet=quiet).result(record, table)
