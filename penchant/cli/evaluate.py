"""`penchant evaluate`: measure a finished run again from its saved head and adapters."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput

if TYPE_CHECKING:
    from penchant.simulation.cold import Cold
    from penchant.simulation.run import FinishedRun


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    cold: Annotated[
        str | None, typer.Option(help="How strangers are served: people, items or domain.")
    ] = None,
    shots: Annotated[
        str, typer.Option(help="With --cold people or domain: how many first events are known.")
    ] = "0,1,3,5,10",
    target_domain: Annotated[
        str | None, typer.Option(help="Ask for the items of this domain alone; the run's own unless given.")
    ] = None,
    tune: Annotated[
        bool, typer.Option(help="With --cold: choose the references' settings on warm people first.")
    ] = True,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Recompute a run's accuracy, with and without the personal adapters. Changes nothing.

    With --cold: how the run serves people or items that `hold_out` kept out of its training. Where the domain is new to
    these people, all that they did elsewhere is known.
    """
    from penchant.rundir import RunDirectory
    from penchant.simulation.evaluate import evaluate_run
    from penchant.simulation.run import load_run

    del debug
    output = Output(fmt, quiet=quiet)
    finished = load_run(RunDirectory.existing(run))
    if target_domain is not None:
        finished = replace(finished, world=finished.world.asked_for(target_domain))
    if cold is not None:
        found, chosen = _cold(finished, _chosen(cold), _counts(shots), output, tune)
        references = {"tuned": tune, "settings": chosen, "order": finished.world.dataset.order}
        output.result({"cold": {cold: found}, "references": references}, _cold_table(cold, found))
        return
    record, _ = evaluate_run(finished.serving, finished.world, finished.adapters, seed=finished.settings.seed)
    output.result(record, _table(record))


def _table(record: dict[str, Any]) -> Table:
    table = Table(title="Test items, full ranking", caption=record["split"])
    metrics = list(record["test"]["full"])
    for column in ("model", *metrics):
        table.add_column(column, justify="left" if column == "model" else "right")
    rows = {"Penchant": record["test"], "shared head alone": record["shared_only"], **record["baselines"]}
    for name, accuracy in rows.items():
        table.add_row(name, *(f"{accuracy['full'][metric]:.4f}" for metric in metrics))
    return table


def _chosen(cold: str) -> "Cold":
    from penchant.simulation.cold import Cold

    if cold not in tuple(Cold):
        raise BadInput(f"--cold {cold}: no such kind of stranger; there are {', '.join(Cold)}")
    return Cold(cold)


def _counts(shots: str) -> list[int]:
    try:
        counts = [int(count) for count in shots.split(",")]
    except ValueError as error:
        raise BadInput(f"--shots {shots}: expected whole numbers divided by commas, like 0,1,3") from error
    if min(counts) < 0:
        raise BadInput(f"--shots {shots}: nobody knows fewer than 0 events")
    return counts


def _cold(
    finished: "FinishedRun", which: "Cold", shots: list[int], output: Output, tune: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    from penchant.cache import cache_folder
    from penchant.simulation.cold import Cold, Question, serve_strangers

    with output.progress("Strangers", 1 if which is Cold.ITEMS else len(shots)) as tick:
        question = Question(which, shots, tune, cache_folder() / "cold", tick)
        return serve_strangers(finished, question)


def _cold_table(which: str, found: dict[str, Any]) -> Table:
    what = "among the new items" if which == "items" else "by how many of their first events are known"
    if which == "domain":
        what = "new people by how many of their first events in it are known, beside all elsewhere"
    table = Table(title=f"New {which}, {what}: NDCG@10")
    table.add_column("model")
    for count in found:
        table.add_column(count, justify="right")
    for name in next(iter(found.values())):
        cells = (found[count][name] for count in found)
        table.add_row(name, *(f"{cell['ndcg@10']:.4f}" if cell else "-" for cell in cells))
    return table
