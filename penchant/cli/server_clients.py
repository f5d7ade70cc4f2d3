"""`penchant server enroll | revoke | status | stop`: the owner's commands beside the rounds."""

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.cli.server import Folder, server_app
from penchant.errors import BadInput, CheckFailed

if TYPE_CHECKING:
    from penchant.server.deployment import Deployment

_STOP_SECONDS: Final = 40.0

Keys = Annotated[list[Path], typer.Argument(help="Public keys of clients, node.pub.", show_default=False)]


@server_app.command()
def enroll(
    folder: Folder,
    keys: Keys,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Let clients in. Works while the server runs, and while it does not."""
    from penchant.server.deployment import Deployment
    from penchant.server.operator import reachable

    del debug
    public_keys = [_public(key) for key in keys]
    with reachable(Deployment.existing(folder)) as owner:
        nodes = [owner.enroll(public_key) for public_key in public_keys]
    named = ", ".join(map(str, keys))
    Output(fmt, quiet=quiet).result({"enrolled": list(map(str, keys)), "nodes": nodes}, f"enrolled: {named}")


@server_app.command()
def revoke(
    folder: Folder,
    keys: Keys,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Shut clients out, at once. What they gave to rounds that were released stays in them."""
    from penchant.server.deployment import Deployment
    from penchant.server.operator import reachable

    del debug
    public_keys = [_public(key) for key in keys]
    with reachable(Deployment.existing(folder)) as owner:
        nodes = [owner.revoke(public_key) for public_key in public_keys]
    named = ", ".join(map(str, keys))
    Output(fmt, quiet=quiet).result({"revoked": list(map(str, keys)), "nodes": nodes}, f"revoked: {named}")


@server_app.command()
def status(
    folder: Folder, fmt: FormatOption = Format.TABLE, quiet: QuietOption = False, debug: DebugOption = False
) -> None:
    """Say whether the server runs, how far it is, who is on line, and what was spent."""
    from penchant.server.authority import days_left
    from penchant.server.deployment import Deployment

    del debug
    deployment = Deployment.existing(folder)
    settings, rows = deployment.settings(), deployment.run.read_metrics()
    running = deployment.is_served()
    record: dict[str, Any] = {
        "running": running,
        "phase": deployment.told().get("phase", "never started") if running else "stopped",
        "round": rows[-1]["round"] if rows else 0,
        "rounds": settings.federation.rounds,
        "epsilon": rows[-1]["epsilon"] if rows else None,
        "epsilon_limit": None if settings.privacy.unit == "none" else settings.privacy.epsilon,
        "certificate_days": round(days_left((deployment.tls / "server.pem").read_bytes()), 1),
        **(_clients(deployment) if running else {}),
    }
    table = Table(title=str(folder), show_header=False)
    for name, value in record.items():
        table.add_row(name.replace("_", " "), str(value))
    Output(fmt, quiet=quiet).result(record, table)


@server_app.command()
def stop(
    folder: Folder, fmt: FormatOption = Format.TABLE, quiet: QuietOption = False, debug: DebugOption = False
) -> None:
    """End a running server in order: the round that is on is not released."""
    from penchant.server.deployment import Deployment

    del debug
    deployment = Deployment.existing(folder)
    if not deployment.is_served():
        raise BadInput(f"{folder}: no server runs here")
    os.kill(int(deployment.told()["pid"]), signal.SIGTERM)
    until = time.monotonic() + _STOP_SECONDS
    while deployment.is_served():
        if time.monotonic() > until:
            raise CheckFailed(f"{folder}: the server still runs after {_STOP_SECONDS:g} s; see server.log")
        time.sleep(0.2)
    Output(fmt, quiet=quiet).result({"stopped": str(folder)}, f"{folder}: stopped")


def _clients(deployment: "Deployment") -> dict[str, int]:
    from penchant.server.operator import operator
    from penchant.server.superlink import answers

    if not answers(deployment):
        return {}
    with operator(deployment) as owner:
        nodes = owner.nodes()
    return {"clients_enrolled": len(nodes), "clients_online": sum(node.online for node in nodes)}


def _public(path: Path) -> bytes:
    from penchant.server.operator import read_public_key

    try:
        return read_public_key(path.read_bytes())
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file; the client's `penchant client enroll` writes it") from error
