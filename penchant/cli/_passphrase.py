"""Where a passphrase comes from: the environment, a file that the environment names, or the keyboard."""

import os
import sys
from pathlib import Path
from typing import Final

import typer

from penchant.errors import BadInput

VARIABLE: Final = "PENCHANT_PASSPHRASE"
FILE_VARIABLE: Final = "PENCHANT_PASSPHRASE_FILE"
"""For services: a file that the service's manager puts there, such as a systemd credential or a container's secret."""


def passphrase(*, new: bool = False) -> str:
    """new: ask twice. Raises: BadInput where none is given and nobody can be asked."""
    found = given()
    if found is not None:
        return found
    if not sys.stdin.isatty():
        raise BadInput(f"a passphrase is needed: set {VARIABLE}, or {FILE_VARIABLE} to a file that holds it")
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=new))


def given() -> str | None:
    """The passphrase that the environment gives, if it does. Raises: BadInput where the file cannot be read."""
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE]
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise BadInput(f"{FILE_VARIABLE}={path}: {error.strerror}") from error
