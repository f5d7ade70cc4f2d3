"""`penchant profile`: what a person is interested in, and how well such profiles tell what comes next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption

if TYPE_CHECKING:
    from penchant.interest.profile import Interest


@app.command()
def profile(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    user: Annotated[
        str | None,
        typer.Option(help="A person's id in the data set; without one, all profiles are measured."),
    ] = None,
    tags: Annotated[int, typer.Option(min=1, help="How many categories, and how many phrases.")] = 8,
    windows: Annotated[int, typer.Option(min=1, help="Parts of the history to show the change over.")] = 4,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show a person's interests as tags, their change, and the events behind each; or measure everybody's profiles.

    The measure: are the categories of held-out items told better than by how often each is chosen? Simulation only.
    """
    from penchant.cache import cache_folder
    from penchant.interest.profile import ProfileMaker
    from penchant.rundir import RunDirectory
    from penchant.simulation.profiles import evaluate_profiles
    from penchant.simulation.profiles import profile as profile_of
    from penchant.simulation.run import load_run

    del debug
    output = Output(fmt, quiet=quiet)
    finished = load_run(RunDirectory.existing(run))
    world = finished.world
    if user is None:
        found = evaluate_profiles(world)
        output.result(found, _measured(found))
        return
    maker = ProfileMaker(windows=windows)
    cache = cache_folder() / "vectors"
    interests = profile_of(world, finished.settings.encoder, user=user, cache=cache, most=tags, maker=maker)
    history = world.histories[world.dataset.behaviours.user_ids.index(user)]
    titles = [world.dataset.catalogue.titles[item] for item in history]
    records = [{**one.to_record(), "events": [titles[event] for event in one.events]} for one in interests]
    output.result({"user": user, "interests": records}, _shown(user, interests, titles))


def _shown(user: str, interests: "list[Interest]", titles: list[str]) -> Table:
    table = Table(
        title=Text(f"Interests of {user}"), caption="Strength: above what is usual, in standard deviations."
    )
    for column in ("tag", "kind", "weight", "usual", "strength", "oldest to latest", "because of"):
        table.add_column(column, justify="right" if column in ("weight", "usual", "strength") else "left")
    for one in interests:
        trend = " ".join(f"{weight:.2f}" for weight in one.trend)
        figures = (f"{one.weight:.2f}", f"{one.usual:.2f}", f"{one.strength:.2f}", trend)
        table.add_row(
            Text(one.name), one.kind, *figures, Text(", ".join(titles[event] for event in one.events))
        )
    return table


def _measured(found: dict[str, Any]) -> Table:
    chosen = found["settings"]
    table = Table(
        title="Categories of held-out items, told by",
        caption=f"Half-life {chosen['half_life']} events, trust {chosen['trust']:g}, chosen on validation items.",
    )
    table.add_column("")
    for column in ("average precision", "first tag is right", "people"):
        table.add_column(column, justify="right")
    for name, told in found["test"].items():
        figures = (f"{told['average_precision']:.4f}", f"{told['first_is_right']:.4f}", f"{told['people']:,}")
        table.add_row(name.replace("_", " "), *figures)
    return table
