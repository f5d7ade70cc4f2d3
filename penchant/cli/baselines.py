"""`penchant baselines`: the references, on the same split and metrics as a run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput

if TYPE_CHECKING:
    from penchant.baselines import Baseline, Bench

Record = dict[str, Any]


@app.command()
def baselines(
    data: Annotated[str, typer.Option(help="A known data set or the path of your own.")],
    only: Annotated[
        list[str] | None, typer.Option(help="A baseline by name; may be repeated. All by default.")
    ] = None,
    tune: Annotated[bool, typer.Option(help="Choose settings on the validation items first.")] = False,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Train the references centrally and test them: what a federation has to be measured against."""
    from penchant.baselines import BASELINES
    from penchant.datasets import load

    del debug
    output = Output(fmt, quiet=quiet)
    chosen = _chosen(only, BASELINES)
    dataset = load(data)
    bench = _bench(dataset, chosen, output)
    results = {name: _result(name, bench, output, tune=tune) for name in chosen}
    record = {
        "dataset": {
            "name": dataset.name,
            "digest": dataset.digest,
            "n_users": dataset.behaviours.n_users,
            "n_items": len(dataset.catalogue),
            "n_events": dataset.behaviours.n_events,
        },
        "split": f"leave-one-out by {dataset.order}; history and exclusions: training items",
        "baselines": results,
    }
    output.result(record, _table(dataset.name, results, tune=tune))


def _chosen(only: Sequence[str] | None, known: Mapping[str, "Baseline"]) -> list[str]:
    """The names that were asked for; all that this machine can fit where nobody asked."""
    from penchant.baselines import MatrixFactorisation

    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise BadInput(f"--only {unknown[0]}: no baseline of that name; there are {', '.join(known)}")
    return list(
        only or (name for name in known if name != "matrix_factorisation" or MatrixFactorisation.available())
    )


def _bench(dataset: Any, chosen: Sequence[str], output: Output) -> "Bench":
    """Items are encoded only where a baseline reads their vectors."""
    import numpy as np

    from penchant.baselines import READ_VECTORS, Bench
    from penchant.behaviours import leave_one_out
    from penchant.cache import cache_folder
    from penchant.encoders import item_vectors

    vectors, digest = np.empty((len(dataset.catalogue), 0), np.float32), ""
    if READ_VECTORS & set(chosen):
        with output.progress("Item vectors", len(dataset.catalogue)) as tick:
            made = item_vectors(dataset.catalogue, cache=cache_folder() / "vectors", progress=tick)
        vectors, digest = made.vectors, made.digest
    return Bench(
        leave_one_out(dataset.behaviours), vectors, f"{dataset.digest} {digest}", cache_folder() / "baselines"
    )


def _result(name: str, bench: "Bench", output: Output, *, tune: bool) -> Record:
    from penchant.baselines import BASELINES, grid, settings

    chosen, found = BASELINES[name], {}
    candidates = grid(name, bench) if tune else []
    with output.progress(name, len(candidates) + 1) as tick:
        if candidates:
            best = bench.tune(candidates, tried=tick)
            chosen, found = best.chosen, {"validation": best.validation, "tried": best.tried}
        figures = bench.record(chosen)
        tick()
    return {**figures, "settings": settings(chosen), "tuned": found or None}


def _table(dataset: str, results: Mapping[str, Record], *, tune: bool) -> Table:
    how = "settings tuned on the validation items" if tune else "settings as shipped"
    table = Table(
        title=f"Test items of {dataset}, trained centrally without privacy; {how}",
        caption="Full: among all items not in training. Sampled-99: comparable with papers only.",
    )
    table.add_column("baseline")
    for column in ("HR@10", "NDCG@10", "MRR", "coverage@10", "sampled HR@10", "sampled NDCG@10"):
        table.add_column(column, justify="right")
    for name, record in results.items():
        table.add_row(name, *_figures(record["full"], record["sampled99"]))
    return table


def _figures(full: Mapping[str, float], sampled: Mapping[str, float]) -> list[str]:
    chosen = [full.get(key) for key in ("hr@10", "ndcg@10", "mrr", "coverage@10")]
    chosen += [sampled.get(key) for key in ("hr@10", "ndcg@10")]
    return ["-" if value is None else f"{value:.4f}" for value in chosen]
