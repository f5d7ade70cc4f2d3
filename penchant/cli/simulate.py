"""`penchant simulate`: a private federation on one machine."""

from pathlib import Path
from typing import Annotated

import typer

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.types import NoiseAt, Sampling, Unit


@app.command()
def simulate(
    recipe: Annotated[
        Path | None, typer.Argument(help="A TOML file of settings.", show_default=False)
    ] = None,
    data: Annotated[str | None, typer.Option(help="A known data set or your own file or folder.")] = None,
    min_user_events: Annotated[
        int | None, typer.Option(help="Keep people with so many events, on items that are kept.")
    ] = None,
    min_item_events: Annotated[
        int | None, typer.Option(help="Keep items with so many events, of people who are kept.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option("--from", help="A finished run whose head this one starts from.")
    ] = None,
    target_domain: Annotated[
        str | None, typer.Option(help="The domain whose items are held out and ranked.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of training.")] = None,
    cohort: Annotated[
        int | None, typer.Option(help="People expected each round; leave out for everyone.")
    ] = None,
    sampling: Annotated[Sampling | None, typer.Option(help="How a cohort is drawn.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="cohort (stacked, fast), flower (one ClientApp each) or ray (shards on workers)."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto (a GPU where there is one), cpu or cuda.")] = None,
    privacy: Annotated[Unit | None, typer.Option(help="What is protected. On unless `none` is said.")] = None,
    noise_at: Annotated[NoiseAt | None, typer.Option(help="Who adds the noise.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="The most to spend; decides the noise.")] = None,
    noise_multiplier: Annotated[
        float | None, typer.Option(help="Noise over clip bound; decides what is spent.")
    ] = None,
    delta: Annotated[float | None, typer.Option(help="Chance that the bound does not hold.")] = None,
    seed: Annotated[int | None, typer.Option(help="Initial weights, negatives, cohorts.")] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, for instance model.width=32.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the run is written.")] = Path("runs/latest"),
    resume: Annotated[bool, typer.Option(help="Go on from the last finished round.")] = False,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a federation on one machine, evaluate it, and write a run directory."""
    from penchant.cli._simulation import run_with_progress, shown
    from penchant.simulation.settings import load_settings

    del debug
    flags = {
        "data": data,
        "min_user_events": min_user_events,
        "min_item_events": min_item_events,
        "target_domain": target_domain,
        "origin": origin,
        "seed": seed,
        "engine": engine,
        "device": device,
        "federation.rounds": rounds,
        "federation.cohort": cohort,
        "federation.sampling": sampling or ("fixed" if cohort is not None else None),
        "privacy.unit": privacy,
        "privacy.noise_at": noise_at,
        "privacy.epsilon": epsilon,
        "privacy.noise_multiplier": noise_multiplier,
        "privacy.delta": delta,
    }
    settings = load_settings(recipe, flags, assign or ())
    output = Output(fmt, quiet=quiet)
    record = run_with_progress(settings, out, resume=resume, output=output)
    output.result(record, shown(record))
