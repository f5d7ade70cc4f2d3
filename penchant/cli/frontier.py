"""`penchant frontier`: what privacy costs in accuracy, one recipe over several epsilons and seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput

if TYPE_CHECKING:
    from penchant.report import SavedRun


@app.command()
def frontier(
    recipe: Annotated[Path, typer.Argument(help="A TOML file of settings with a privacy unit.")],
    epsilons: Annotated[
        str, typer.Option(help="What to spend, divided by commas; `none` for no privacy.")
    ] = ("none,16,8,4,2,1"),
    seeds: Annotated[int, typer.Option(min=1, help="Runs for each epsilon, with seeds 0, 1, 2 …")] = 3,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, for instance model.width=32.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where runs, picture and figures are written.")] = Path(
        "runs/frontier"
    ),
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Run a recipe under several epsilons and seeds, and draw NDCG against epsilon.

    Runs that are finished are kept, and one that was stopped goes on.
    """
    from penchant.report import draw_frontier, frontier_record
    from penchant.rundir import write_json

    del debug
    output = Output(fmt, quiet=quiet)
    wishes = _wishes(epsilons)
    runs = {
        wish: [_run(recipe, assign or [], wish, seed, out, output) for seed in range(seeds)]
        for wish in wishes
    }
    record = frontier_record(runs)
    write_json(out / "frontier.json", record)
    draw_frontier(record, [out / "frontier.png", out / "frontier.svg"])
    output.result(record, _table(record, out))


def _wishes(text: str) -> list[str]:
    wishes = [wish.strip() for wish in text.split(",")]
    for wish in wishes:
        try:
            good = wish == "none" or float(wish) > 0
        except ValueError:
            good = False
        if not good:
            raise BadInput(f"--epsilons {text}: {wish!r} is neither `none` nor a positive number")
    return wishes


def _run(recipe: Path, assignments: list[str], wish: str, seed: int, out: Path, output: Output) -> "SavedRun":
    from penchant.cli._simulation import run_with_progress
    from penchant.report import SavedRun
    from penchant.rundir import RunDirectory
    from penchant.simulation.settings import load_settings
    from penchant.types import Unit

    flags: dict[str, Any] = {"seed": seed}
    flags |= {"privacy.unit": "none"} if wish == "none" else {"privacy.epsilon": float(wish)}
    settings = load_settings(recipe, flags, assignments)
    if wish != "none" and (
        settings.privacy.unit is Unit.NONE or settings.privacy.noise_multiplier is not None
    ):
        raise BadInput(
            f"{recipe}: an epsilon needs a privacy unit, and noise that is not fixed by the recipe"
        )
    folder = out / f"{'none' if wish == 'none' else f'epsilon-{wish}'}-seed-{seed}"
    run = RunDirectory(folder)
    if not run.evaluation_path.is_file():
        run_with_progress(settings, folder, resume=run.settings_path.is_file(), output=output)
    elif _settings_of(run) != settings:
        raise BadInput(f"{folder}: a run with other settings is here; choose another --out")
    return SavedRun.read(run)


def _settings_of(run: Any) -> Any:
    """The settings that a run was made with."""
    from penchant.simulation.settings import validated

    return validated(run.read_settings()["settings"], source=str(run.settings_path))


def _table(record: dict[str, Any], out: Path) -> Table:
    unit = record["unit"]
    against = "without privacy" if unit == "none" else f"against ε of one {unit}"
    table = Table(
        title=f"{record['dataset']}: NDCG@10 of the test items {against}",
        caption=f"Mean ± standard deviation over seeds.\n{out / 'frontier.png'}",
    )
    for column in ("ε", "δ", "NDCG@10", "HR@10"):
        table.add_column(column, justify="right")
    for point in record["points"]:
        free = point["epsilon"] is None
        table.add_row(
            "none" if free else f"{point['epsilon']:g}",
            "" if free else f"{point['delta']:g}",
            *(_figure(point[name]) for name in ("ndcg@10", "hr@10")),
        )
    table.add_section()
    for name, value in record["baselines"].items():
        table.add_row(f"{name} (centralised)", "", f"{value:.4f}", "")
    return table


def _figure(spread: dict[str, Any]) -> str:
    deviation = "" if spread["deviation"] is None else f" ± {spread['deviation']:.4f}"
    return f"{spread['mean']:.4f}{deviation}"
