"""`penchant server`: a deployment, from its founding to its end."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.cli._passphrase import given, passphrase

server_app = typer.Typer(
    help="A deployment: certificates, clients' keys, rounds over TLS.", no_args_is_help=True
)
app.add_typer(server_app, name="server")

Folder = Annotated[Path, typer.Argument(help="The deployment's folder.", show_default=False)]


@server_app.command()
def init(
    folder: Folder,
    catalogue: Annotated[
        str, typer.Option(help="A file or folder of items, or a known data set.", show_default=False)
    ],
    recipe: Annotated[
        Path | None, typer.Option(help="A TOML file of deployment settings.", show_default=False)
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Host name or address that clients use; the first goes into the invitation."),
    ] = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, for instance server.min_clients=5.")
    ] = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Make a deployment: authority, server certificate, keys, settings, and the invitation for clients."""
    from penchant.datasets import load_catalogue
    from penchant.server.founding import found
    from penchant.server.settings import validated
    from penchant.simulation.settings import merged

    del debug
    record = merged(recipe, {"server.public_names": name or None}, assign or ())
    settings = validated(record, source=str(recipe or "settings"))
    items = load_catalogue(catalogue)
    output = Output(fmt, quiet=quiet)
    with output.progress("Reading the catalogue", len(items)) as tick:
        deployment = found(folder, settings, items, passphrase=passphrase(new=True), encoding=tick)
    terms = deployment.invitation().terms
    record = {
        "folder": str(folder),
        "invitation": str(deployment.invitation_path),
        "invitation_digest": deployment.invitation().digest,
        "address": terms.address,
        "ledger_public_key": deployment.ledger_key.with_name("ledger.key.pub").read_text().strip(),
        "noise_multiplier": terms.noise_multiplier,
    }
    output.result(record, _facts(f"{terms.name}: ready for `penchant server up {folder}`", record))


@server_app.command()
def renew(
    folder: Folder, fmt: FormatOption = Format.TABLE, quiet: QuietOption = False, debug: DebugOption = False
) -> None:
    """Issue a new server certificate from the deployment's own authority."""
    from penchant.server.authority import days_left
    from penchant.server.deployment import Deployment
    from penchant.server.founding import renew as renew_certificate

    del debug
    deployment = Deployment.existing(folder)
    renew_certificate(deployment, passphrase=passphrase())
    days = round(days_left((deployment.tls / "server.pem").read_bytes()))
    Output(fmt, quiet=quiet).result(
        {"certificate_days": days}, f"valid for {days} days; in use from the next `penchant server up`"
    )


@server_app.command()
def up(
    folder: Folder,
    stay: Annotated[
        bool, typer.Option("--stay", help="Then hand it out to whoever comes later too, until told to stop.")
    ] = False,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Count, run the rounds that are left, hand out what was learned. Ends everything that it started."""
    from penchant.server.deployment import Deployment
    from penchant.server.service import Watch, serve

    del debug
    deployment = Deployment.existing(folder)
    output = Output(fmt, quiet=quiet)
    rounds = deployment.settings().federation.rounds
    secret = given() if deployment.settings().privacy.unit == "none" else passphrase()
    with output.progress("Starting", rounds) as tick:
        state = serve(
            deployment,
            passphrase=secret,
            stay=stay,
            watch=Watch(
                phase=lambda text: tick(advance=0, note=text), round=lambda row: tick(note=_note(row))
            ),
        )
    rows = deployment.run.read_metrics()
    record = {
        "run": str(deployment.run.root),
        "rounds": state.round,
        "clients": [row["clients"] for row in rows],
        "epsilon": rows[-1]["epsilon"] if rows else None,
        "head": str(deployment.run.shared_path),
    }
    output.result(record, _facts(f"{state.round} of {rounds} rounds", record))


def _note(row: dict[str, Any]) -> str:
    spent = "NOT PRIVATE" if row["epsilon"] is None else f"ε {row['epsilon']:.2f}"
    return f"{row['clients']} clients, {spent}"


def _facts(title: str, record: dict[str, Any]) -> Table:
    table = Table(title=title, show_header=False)
    for name, value in record.items():
        table.add_row(name.replace("_", " "), str(value))
    return table
