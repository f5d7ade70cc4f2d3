"""`penchant recommend`: a person's list from a finished run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@app.command()
def recommend(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    user: Annotated[str, typer.Option(help="A person's id in the data set.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Recommend items that a person of the simulation has not met yet, with titles."""
    from penchant.rundir import RunDirectory
    from penchant.simulation.recommend import recommend_to
    from penchant.simulation.run import load_run

    del debug
    output = Output(fmt, quiet=quiet)
    finished = load_run(RunDirectory.existing(run))
    items = recommend_to(finished.serving, finished.world, finished.adapters, user=user, k=k)
    table = Table(title=f"For {user}")
    for column in ("", "item", "title", "categories"):
        table.add_column(column)
    for item in items:
        table.add_row(str(item.place), item.item_id, item.title, ", ".join(item.categories))
    output.result({"user": user, "items": [item.to_record() for item in items]}, table)
