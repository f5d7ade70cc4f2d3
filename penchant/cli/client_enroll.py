"""`penchant client enroll`: accept a federation's terms, and make the key that its owner lets in."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from penchant.cli._client import Home, client_app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput
from penchant.types import Unit


@client_app.command()
def enroll(
    home: Home,
    invitation: Annotated[
        Path, typer.Option(help="The folder that the server's owner gave out.", show_default=False)
    ],
    digest: Annotated[
        str | None, typer.Option(help="The invitation's digest, as its owner told it by another way.")
    ] = None,
    not_private: Annotated[
        bool, typer.Option("--not-private", help="Join a federation that protects nobody.")
    ] = False,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Accept an invitation: show its terms, and make this device's own key. Nothing trains before consent."""
    from penchant.client.account import FILE as ACCOUNT
    from penchant.client.account import claim_account
    from penchant.client.enrolment import Enrolment
    from penchant.strategies.invitation import read_invitation

    del debug
    offered = read_invitation(invitation)
    terms = offered.terms
    if digest is not None and not offered.digest.startswith(digest):
        raise BadInput(
            f"{invitation}: its digest is {offered.digest}, not {digest}: ask its owner for the true one"
        )
    if terms.unit is Unit.NONE and not not_private:
        raise BadInput(
            f"{terms.name} is NOT PRIVATE: updates leave unprotected; --not-private joins all the same"
        )
    if terms.unit is not Unit.NONE:
        claim_account(home / ACCOUNT, terms.unit)
    enrolment = Enrolment(home)
    enrolment.join(offered)
    record = {
        "federation": terms.name,
        "server": terms.address,
        "digest": offered.digest,
        "protects": "nobody" if terms.unit == "none" else f"one {terms.unit}",
        "noise_at": terms.noise_at.value,
        "epsilon_at_most": None if terms.unit == "none" else terms.epsilon_limit,
        "delta": terms.delta,
        "rounds": terms.rounds,
        "counts": terms.counting is not None,
        "public_key": str(enrolment.public_key_path),
    }
    if terms.counting is not None:
        record["trusted"] = "the server is sent which items you have, once, to count them; it adds the noise"
    table = Table(title=f"{home}: give {enrolment.public_key_path} to the server's owner", show_header=False)
    for name, value in record.items():
        table.add_row(name.replace("_", " "), str(value))
    Output(fmt, quiet=quiet).result(record, table)
