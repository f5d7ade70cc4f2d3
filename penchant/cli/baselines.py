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
    assign: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting of the one baseline that --only names, for instance epochs=10."
        ),
    ] = None,
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
    fixed = _assigned(assign or (), chosen)
    dataset = load(data)
    bench = _bench(dataset, chosen, output)
    results = {name: _result(name, bench, output, fixed, tune=tune) for name in chosen}
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
    output.result(record, _table(dataset.name, results, fixed, tune=tune))


def _chosen(only: Sequence[str] | None, known: Mapping[str, "Baseline"]) -> list[str]:
    """The names that were asked for; all that this machine can fit where nobody asked."""
    from penchant.baselines import MatrixFactorisation

    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise BadInput(f"--only {unknown[0]}: no baseline of that name; there are {', '.join(known)}")
    return list(
        only or (name for name in known if name != "matrix_factorisation" or MatrixFactorisation.available())
    )


def _assigned(assignments: Sequence[str], chosen: Sequence[str]) -> dict[str, str]:
    """What --set says, by name, checked before anything is fitted."""
    from penchant.baselines import BASELINES, changed

    if assignments and len(chosen) != 1:
        raise BadInput(f"--set {assignments[0]}: name the baseline that is meant with one --only")
    found = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator:
            raise BadInput(f"--set {assignment}: expected name=value, for instance --set epochs=10")
        found[name.strip()] = value.strip()
    if found:
        changed(BASELINES[chosen[0]], found)
    return found


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
        leave_one_out(dataset.behaviours), vectors, dataset.digest, cache_folder() / "baselines", digest
    )


def _result(name: str, bench: "Bench", output: Output, fixed: Mapping[str, str], *, tune: bool) -> Record:
    from penchant.baselines import BASELINES, changed, grid, settings
    from penchant.evaluation import Part

    chosen, found = changed(BASELINES[name], fixed), {}
    candidates = grid(name, bench, fixed) if tune else []
    with output.progress(name, len(candidates) + 1) as tick:
        if candidates:
            best = bench.tune(candidates, tried=tick)
            chosen, found = best.chosen, {"validation": best.validation, "tried": best.tried}
        validation = bench.record(chosen, Part.VALIDATION)["full"]
        figures = bench.record(chosen)
        tick()
    return {**figures, "validation": validation, "settings": settings(chosen), "tuned": found or None}


def _table(dataset: str, results: Mapping[str, Record], fixed: Mapping[str, str], *, tune: bool) -> Table:
    how = "settings tuned on the validation items" if tune else "settings as shipped"
    said = "".join(f", {name}={value}" for name, value in fixed.items())
    table = Table(
        title=f"Test items of {dataset}, trained centrally without privacy; {how}{said}",
        caption="Full: among all items not in training. Sampled-99: comparable with papers only.",
    )
    table.add_column("baseline", no_wrap=True)
    for column in ("valid. NDCG@10", "HR@10", "NDCG@10", "coverage", "sampled HR@10", "sampled NDCG@10"):
        table.add_column(column, justify="right")
    for name, record in results.items():
        table.add_row(name, *_figures(record))
    return table


def _figures(record: Record) -> list[str]:
    chosen = [record["validation"].get("ndcg@10")]
    chosen += [record["full"].get(key) for key in ("hr@10", "ndcg@10", "coverage@10")]
    chosen += [record["sampled99"].get(key) for key in ("hr@10", "ndcg@10")]
    return ["-" if value is None else f"{value:.4f}" for value in chosen]
