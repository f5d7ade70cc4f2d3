"""`penchant client record` and `penchant client import`: what a person did."""

import time
from pathlib import Path
from typing import Annotated

import typer

from penchant.cli._client import Home, KeyFileOption, client_app, opened
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.types import Kind


@client_app.command()
def record(
    home: Home,
    item: Annotated[str, typer.Argument(help="The item's id in the catalogue.", show_default=False)],
    kind: Annotated[Kind, typer.Option(help="What the person did.")] = Kind.VIEW,
    value: Annotated[float | None, typer.Option(help="A rating or the like.", show_default=False)] = None,
    at: Annotated[
        int | None, typer.Option(help="Seconds since 1970 (UTC); now unless given.", show_default=False)
    ] = None,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Record one event. The next list takes it into account."""
    from penchant.types import Event

    del debug
    with opened(home, key_file) as store:
        (number,) = store.add([Event(item, kind, int(time.time()) if at is None else at, value)])
        events = len(store.events())
    shown = f"event {number} recorded; {events} events on this device"
    Output(fmt, quiet=quiet).result({"event": number, "events": events}, shown)


@client_app.command(name="import")
def import_(
    home: Home,
    path: Annotated[
        Path, typer.Argument(help="A csv, tsv, parquet or RecBole file or folder.", show_default=False)
    ],
    user: Annotated[
        str | None, typer.Option(help="Whose events, where the file has several people.", show_default=False)
    ] = None,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Take over one person's events from a file. What is recorded already is passed over."""
    from penchant.client.importing import import_events

    del debug
    with opened(home, key_file) as store:
        new, known = import_events(store, path, user=user)
    shown = f"{new} events taken over, {known} were here already"
    Output(fmt, quiet=quiet).result({"new": new, "known": known}, shown)
