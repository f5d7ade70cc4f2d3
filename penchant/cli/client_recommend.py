"""`penchant client recommend` and `penchant client adapt`: a person's list, made on the device."""

from typing import Annotated

import typer
from rich.table import Table

from penchant.cli._client import Home, KeyFileOption, client_app, opened
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@client_app.command()
def recommend(
    home: Home,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items.")] = 10,
    why: Annotated[bool, typer.Option("--why", help="Say what speaks for each item.")] = False,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Recommend items that the person has not met yet, without a network."""
    from penchant.client.recommending import Recommender

    del debug
    with opened(home, key_file) as store:
        lines = Recommender.of(store).suggest(k)
    table = Table(title="For you")
    for column in ("", "item", "title", "categories", *(("because",) if why else ())):
        table.add_column(column)
    for line in lines:
        said = "\n".join(f"{one.text} ({one.share:.0%})" for one in line.why)
        cells = (str(line.place), line.item_id, line.title, ", ".join(line.categories))
        table.add_row(*cells, *((said,) if why else ()))
    records = [line.to_record() for line in lines]
    if not why:
        records = [{name: value for name, value in one.items() if name != "why"} for one in records]
    Output(fmt, quiet=quiet).result({"items": records}, table)


@client_app.command()
def adapt(
    home: Home,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Train the personal adapter on what was recorded, with the person's consent. Nothing of it leaves the device."""
    from penchant.client.exporting import adapt as train

    del debug
    with opened(home, key_file) as store:
        trained = train(store)
    shown = (
        "adapter trained" if trained else "nothing trained: no consent, no head yet, or fewer than two events"
    )
    Output(fmt, quiet=quiet).result({"trained": trained}, shown)
