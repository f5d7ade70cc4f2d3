"""`penchant evaluate`: measure a finished run again from its saved head and adapters."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Recompute a run's accuracy, with and without the personal adapters. Changes nothing."""
    from penchant.rundir import RunDirectory
    from penchant.simulation.evaluate import evaluate_run
    from penchant.simulation.run import load_run

    del debug
    output = Output(fmt, quiet=quiet)
    settings, world, federation, head, adapters = load_run(RunDirectory.existing(run))
    record, _ = evaluate_run(
        federation.model,
        world,
        head,
        adapters,
        max_history=settings.training.max_history,
        seed=settings.seed,
    )
    output.result(record, _table(record))


def _table(record: dict[str, Any]) -> Table:
    table = Table(title="Test items, full ranking")
    metrics = list(record["test"]["full"])
    for column in ("model", *metrics):
        table.add_column(column, justify="left" if column == "model" else "right")
    rows = {"Penchant": record["test"], "shared head alone": record["shared_only"], **record["baselines"]}
    for name, accuracy in rows.items():
        table.add_row(name, *(f"{accuracy['full'][metric]:.4f}" for metric in metrics))
    return table
