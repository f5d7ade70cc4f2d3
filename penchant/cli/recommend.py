"""`penchant recommend`: lists from a finished run, for its people and for new ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput

if TYPE_CHECKING:
    from penchant.simulation.recommend import Recommended
    from penchant.simulation.run import FinishedRun


@app.command()
def recommend(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    user: Annotated[str | None, typer.Option(help="A person's id in the data set.")] = None,
    new_customers: Annotated[
        Path | None, typer.Option(help="A file of people who are new: user_id, item_id; no item is needed.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    cards: Annotated[
        Path | None, typer.Option(help="Write the lists as cards into this HTML file, too.")
    ] = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Recommend items that a person has not met yet: to somebody of the simulation, or to each who is new.

    Nothing is learned from new people, and nothing of theirs is kept.
    """
    from penchant.rundir import RunDirectory
    from penchant.simulation.run import load_run

    del debug
    output = Output(fmt, quiet=quiet)
    if (user is None) == (new_customers is None):
        raise BadInput("say for whom: either --user or --new-customers")
    finished = load_run(RunDirectory.existing(run))
    lists = _to_one(finished, user, k) if user is not None else _to_newcomers(finished, new_customers, k)
    records = {name: [item.to_record() for item in items] for name, items in lists.items()}
    if cards is not None:
        _write(cards, records, finished.world.dataset.name)
        output.say(f"Cards are in {cards}")
    output.result(_record(user, records), Group(*(_table(name, items) for name, items in lists.items())))


def _to_one(finished: "FinishedRun", user: str, k: int) -> "dict[str, list[Recommended]]":
    from penchant.simulation.recommend import recommend_to

    return {user: recommend_to(finished.serving, finished.world, finished.adapters, user=user, k=k)}


def _to_newcomers(finished: "FinishedRun", path: Path | None, k: int) -> "dict[str, list[Recommended]]":
    from penchant.datasets import load_newcomers
    from penchant.simulation.recommend import recommend_to_newcomers

    assert path is not None
    newcomers = load_newcomers(path, finished.world.dataset.catalogue)
    return recommend_to_newcomers(finished.serving, finished.world, newcomers, k=k)


def _record(user: str | None, records: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    if user is not None:
        return {"user": user, "items": records[user]}
    return {"people": [{"user": name, "items": items} for name, items in records.items()]}


def _write(path: Path, records: dict[str, list[dict[str, Any]]], shop: str) -> None:
    from penchant.report import cards_page
    from penchant.rundir import write_atomically

    write_atomically(path, cards_page(records, title=f"Recommendations: {shop}").encode())


def _table(name: str, items: "list[Recommended]") -> Table:
    table = Table(title=Text(f"For {name}"))
    for column in ("", "item", "title", "categories", "because of"):
        table.add_column(column)
    for item in items:
        cells = (item.item_id, item.title, ", ".join(item.categories), item.because or "")
        table.add_row(str(item.place), *map(Text, cells))
    return table
