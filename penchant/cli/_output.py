"""What every command shares: `--format`, `--quiet`, `--debug`, a progress bar, one result."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Format(StrEnum):
    """How a command prints its result."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="Print a table for people or JSON for programs.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

Tick = Callable[..., None]
"""`tick(advance=1, note="")` moves a progress bar on."""


class Output:
    """Progress goes to standard error, the result to standard output."""

    def __init__(self, fmt: Format = Format.TABLE, *, quiet: bool = False) -> None:
        self.format = fmt
        self.quiet = quiet
        self._console = Console()
        self._progress_console = Console(stderr=True)

    @contextmanager
    def progress(self, what: str, total: float | None) -> Iterator[Tick]:
        """One bar with elapsed and remaining time; silent under `--quiet`."""
        with self.steps() as step:
            yield step(what, total)

    @contextmanager
    def steps(self) -> Iterator[Callable[[str, float | None], Tick]]:
        """Several bars, one below the other: `step(what, total)` adds one and returns its tick."""
        bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._progress_console,
            disable=self.quiet,
            transient=not sys.stderr.isatty(),
        )

        def step(what: str, total: float | None) -> Tick:
            task = bars.add_task(what, total=total, note="")

            def tick(advance: float = 1, note: str = "") -> None:
                bars.update(task, advance=advance, note=note)

            return tick

        with bars:
            yield step

    def say(self, text: str) -> None:
        """A line for people, on standard error."""
        if not self.quiet:
            self._progress_console.print(text, highlight=False)

    def result(self, record: Mapping[str, Any], shown: RenderableType) -> None:
        """Print the command's one result: `record` as JSON, or `shown` for people."""
        if self.format is Format.JSON:
            typer.echo(json.dumps(record, indent=2, sort_keys=True, allow_nan=False))
        else:
            self._console.print(shown)
