"""`penchant data`: known data sets, and checks of your own."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from penchant.datasets import BadRow, Inspection

_SHOWN: Final = 100

data_app = typer.Typer(
    help="Known data sets; checks of your own csv, parquet or RecBole files.", no_args_is_help=True
)
app.add_typer(data_app, name="data")

AcceptOption = Annotated[
    bool,
    typer.Option(
        "--accept-terms", envvar="PENCHANT_ACCEPT_TERMS", help="Accept the data set's terms of use."
    ),
]


@data_app.command("list")
def list_known(
    fmt: FormatOption = Format.TABLE, quiet: QuietOption = False, _debug: DebugOption = False
) -> None:
    """List the data sets that are known by name, and which of them are on this machine."""
    from penchant.datasets import KNOWN, dataset_folder

    table = Table("name", "people", "items", "events", "on this machine", title="Known data sets")
    records = []
    for one in KNOWN.values():
        here = dataset_folder(one.name).is_dir()
        counts = {"n_users": one.n_users, "n_items": one.n_items, "n_events": one.n_events}
        records.append(
            {"name": one.name, "source": one.source, "terms": one.terms, "fetched": here, **counts}
        )
        table.add_row(one.name, *(f"{count:,}" for count in counts.values()), "yes" if here else "no")
    Output(fmt, quiet=quiet).result({"datasets": records}, table)


@data_app.command()
def get(
    name: Annotated[str, typer.Argument(help="A name from `penchant data list`.")],
    accept_terms: AcceptOption = False,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    _debug: DebugOption = False,
) -> None:
    """Fetch a known data set into the cache ($PENCHANT_CACHE), after its terms are accepted."""
    from penchant.datasets import dataset_folder, fetch, known

    output = Output(fmt, quiet=quiet)
    wanted, folder = known(name), dataset_folder(name)
    if not folder.is_dir():
        typer.echo(wanted.terms, err=True)
        _consent(name, accepted=accept_terms)
        with output.progress(f"Fetching {wanted.title}", None):
            folder = fetch(name, accepted_terms=True)
    output.result(
        {"name": name, "folder": str(folder), "source": wanted.source}, Text(f"{name} is in {folder}")
    )


def _consent(name: str, *, accepted: bool) -> None:
    if accepted or (sys.stdin.isatty() and typer.confirm("Do you accept these terms?", err=True)):
        return
    raise BadInput(
        f"{name} was not fetched: its terms were not accepted; add --accept-terms or set PENCHANT_ACCEPT_TERMS=1"
    )


@data_app.command()
def validate(
    path: Annotated[Path, typer.Argument(help="A folder with interactions, items and users, or one file.")],
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    _debug: DebugOption = False,
) -> None:
    """Report every bad row by file, line, column and value, and count what would be kept. Changes nothing.

    Exit code 1 when there are bad rows, 2 when a file cannot be used at all.
    """
    from penchant.datasets import inspect, read_tables

    output = Output(fmt, quiet=quiet)
    with output.progress(f"Checking {path.name}", None):
        inspection = inspect(read_tables(path))
    output.result(_record(path, inspection), _shown(inspection))
    if inspection.bad:
        raise CheckFailed(
            f"{path}: {len(inspection.bad):,} bad cells; mend or remove these rows, then validate again"
        )


@data_app.command("split-domains")
def split_by_domain(
    data: Annotated[str, typer.Argument(help="A known data set, or the path of your own.")],
    domain: Annotated[
        list[str], typer.Option(help="NAME=CATEGORY,CATEGORY; give at least two.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    _debug: DebugOption = False,
) -> None:
    """Make several domains of one data set by disjoint groups of categories, with the people who are in all of them.

    Items with categories of two groups, or of none, are left out with their events.
    """
    from penchant.datasets import load, split_domains, write_dataset

    made = split_domains(load(data), dict(map(_group, domain)))
    write_dataset(made, out)
    domains = {name: made.catalogue.domains.count(name) for name in dict.fromkeys(made.catalogue.domains)}
    counts = {"n_users": made.behaviours.n_users, "n_events": made.behaviours.n_events}
    items = ", ".join(f"{count:,} items of {name}" for name, count in domains.items())
    told = f"{counts['n_users']:,} people with {counts['n_events']:,} events on {items} are in {out}"
    Output(fmt, quiet=quiet).result({"folder": str(out), "domains": domains, **counts}, Text(told))


def _group(text: str) -> tuple[str, frozenset[str]]:
    name, separator, categories = text.partition("=")
    own = frozenset(category.strip() for category in categories.split(",") if category.strip())
    if not (separator and name.strip() and own):
        raise BadInput(f"--domain {text}: expected NAME=CATEGORY,CATEGORY")
    return name.strip(), own


def _record(path: Path, inspection: "Inspection") -> dict[str, Any]:
    return {
        "path": str(path),
        "files": [file.counts() for file in inspection.files],
        "bad_rows": [asdict(row) for row in inspection.bad],
        "would_keep": inspection.would_keep(),
    }


def _shown(inspection: "Inspection") -> Group:
    files = Table("file", "rows", "kept", title="Files")
    for counts in (file.counts() for file in inspection.files):
        files.add_row(Text(str(counts["file"])), f"{counts['rows']:,}", f"{counts['kept']:,}")
    kept = inspection.would_keep()
    summary = (
        f"It would keep {kept['n_events']:,} events of {kept['n_users']:,} people on {kept['n_items']:,} items; "
        f"{kept['n_users'] - kept['n_users_tested']:,} people have one item only and are for training, not for test."
    )
    if "timestamp" not in inspection.interactions.table.written:
        summary += " There are no times: each person's events would stand in a seeded random order."
    return Group(*_bad_rows(inspection.bad), files, Text(summary))


def _bad_rows(bad: "tuple[BadRow, ...]") -> list[RenderableType]:
    if not bad:
        return []
    table = Table("where", "column", "value", "rule", title="Bad rows")
    for row in bad[:_SHOWN]:
        table.add_row(
            *(Text(cell) for cell in (f"{Path(row.file).name}:{row.line}", row.column, row.value, row.rule))
        )
    more = len(bad) - _SHOWN
    return [table, Text(f"… and {more:,} more; --format json lists all")] if more > 0 else [table]
