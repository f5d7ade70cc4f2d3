"""`penchant keys`: what signs a ledger."""

import os
from pathlib import Path
from typing import Annotated

import typer

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption

keys_app = typer.Typer(help="Keys that sign privacy ledgers.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")


@keys_app.command()
def new(
    path: Annotated[
        Path,
        typer.Argument(help="Where the secret key goes, encrypted; the public half is PATH.pub."),
    ],
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,  # noqa: ARG001 - read by the command line's frame
) -> None:
    """Make an Ed25519 key. Its passphrase is asked for, or read from PENCHANT_PASSPHRASE.

    Give the public half to whoever audits, beforehand: a key that comes with the ledger proves nothing.
    """
    from penchant.privacy.custody import KEY, PASSPHRASE
    from penchant.privacy.keys import SigningKey

    passphrase = os.environ.get(PASSPHRASE) or typer.prompt(
        "Passphrase", hide_input=True, confirmation_prompt=True
    )
    key = SigningKey.new()
    key.write(path, passphrase=passphrase)
    record = {"secret": str(path), "public": f"{path}.pub", "public_key": key.public.text}
    shown = f"{path} (encrypted), {path}.pub\npublic key {key.public.text}\nsign with {KEY}={path}"
    Output(fmt, quiet=quiet).result(record, shown)
