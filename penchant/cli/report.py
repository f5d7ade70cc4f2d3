"""`penchant report`: what a finished run amounts to, as JSON and as a page."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    compare: Annotated[
        list[Path] | None, typer.Option(help="Another run on the same data; may be repeated.")
    ] = None,
    statement: Annotated[
        Path | None, typer.Option(help="A TOML file with what the controller says and signs off.")
    ] = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Write report.json and report.html into a run directory, from its files alone."""
    from penchant.report import read_controller, write_report
    from penchant.rundir import RunDirectory

    del debug
    directory = RunDirectory.existing(run)
    record = write_report(
        directory,
        compare=[RunDirectory.existing(other) for other in compare or ()],
        controller=read_controller(statement) if statement else None,
    )
    paths = {"json": str(directory.report_json_path), "html": str(directory.report_html_path)}
    headline = {key: record[key] for key in ("run", "stamps", "summary", "accuracy", "baselines", "privacy")}
    Output(fmt, quiet=quiet).result({"paths": paths, **headline}, _shown(record, paths))


def _shown(record: dict[str, Any], paths: dict[str, str]) -> Group:
    from penchant.report import epsilon_in_full

    table = Table(title=f"{record['run']}, test items, full ranking")
    for column in ("model", "HR@10", "NDCG@10"):
        table.add_column(column, justify="left" if column == "model" else "right")
    rows = {"Penchant": record["accuracy"]["test"]}
    rows |= {other["run"]: other["test"] for other in record["comparison"]} | record["baselines"]
    for name, accuracy in rows.items():
        table.add_row(
            name, *(f"{accuracy['full'].get(key, float('nan')):.4f}" for key in ("hr@10", "ndcg@10"))
        )
    stamps = [Text(f"{stamp['title']}: {stamp['text']}", style="bold red") for stamp in record["stamps"]]
    privacy = Text(epsilon_in_full(record["privacy"]))
    return Group(*stamps, table, privacy, *(Text(path) for path in paths.values()))
