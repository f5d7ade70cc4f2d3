"""`penchant baselines`: the references, on the same split and metrics as a run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption

if TYPE_CHECKING:
    from penchant.evaluation import Evaluation


@app.command()
def baselines(
    data: Annotated[str, typer.Option(help="A known data set or the path of your own.")],
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,  # noqa: ARG001 - read by the command line's frame
) -> None:
    """Train the references centrally and test them: what a federation has to be measured against."""
    from penchant.baselines import REFERENCES, examine
    from penchant.behaviours import leave_one_out
    from penchant.datasets import load
    from penchant.evaluation import Examination

    output = Output(fmt, quiet=quiet)
    dataset = load(data)
    examination = Examination(leave_one_out(dataset.behaviours), len(dataset.catalogue))
    with output.progress("Baselines", len(REFERENCES)) as tick:
        results = examine(REFERENCES, examination, done=lambda name: tick(note=name))
    record = {
        "dataset": {
            "name": dataset.name,
            "digest": dataset.digest,
            "n_users": dataset.behaviours.n_users,
            "n_items": len(dataset.catalogue),
            "n_events": dataset.behaviours.n_events,
        },
        "split": "leave-one-out",
        "baselines": {name: evaluation.record() for name, evaluation in results.items()},
    }
    output.result(record, _table(dataset.name, results))


def _table(dataset: str, results: Mapping[str, "Evaluation"]) -> Table:
    table = Table(
        title=f"Test items of {dataset}, trained centrally without privacy",
        caption="Full: among all items not in training. Sampled-99: comparable with papers only.",
    )
    table.add_column("baseline")
    for column in ("HR@10", "NDCG@10", "MRR", "coverage@10", "sampled HR@10", "sampled NDCG@10"):
        table.add_column(column, justify="right")
    for name, evaluation in results.items():
        table.add_row(name, *_figures(evaluation.full, evaluation.sampled99))
    return table


def _figures(full: Mapping[str, Any], sampled: Mapping[str, Any]) -> list[str]:
    chosen = [full.get(key) for key in ("hr@10", "ndcg@10", "mrr", "coverage@10")]
    chosen += [sampled.get(key) for key in ("hr@10", "ndcg@10")]
    return ["-" if value is None else f"{value:.4f}" for value in chosen]
