"""Who signs this machine's ledgers, and where their heads are kept: facts of the machine, not of a recipe."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from penchant.errors import BadInput
from penchant.privacy.configuration import configuration_digest
from penchant.privacy.keys import SigningKey
from penchant.privacy.ledger import Ledger, read_ledger
from penchant.privacy.witness import Witness

KEY: Final = "PENCHANT_SIGNING_KEY"
"""Path of the secret key that signs every entry; unset: nobody signs, and an audit says so."""

PASSPHRASE: Final = "PENCHANT_PASSPHRASE"
"""Opens the key."""

WITNESS: Final = "PENCHANT_WITNESS"
"""Folder that keeps the heads of ledgers, one file a run; best on another machine's disk."""


def open_run_ledger(
    path: Path, record: Mapping[str, Any], *, environment: Mapping[str, str] = os.environ
) -> Ledger:
    """The ledger of the run that `record` (its run.json) describes: bound to it, signed, witnessed.

    Raises: BadInput where the key cannot be opened, or whatever `Ledger` raises.
    """
    run_id = str(record["started_at"])
    return Ledger(
        path,
        run_id=run_id,
        signer=_signer(environment),
        witness=_witness(environment, run_id),
        configuration=configuration_digest(record),
    )


def open_account(
    path: Path, *, run_id: str, people: str, environment: Mapping[str, str] = os.environ
) -> Ledger:
    """The ledger that several runs on the same people share. people: a digest of who they are, in order.

    Raises: BadInput where it is of other people, or whatever `Ledger` raises.
    """
    entries = read_ledger(path) if path.is_file() else []
    if entries and entries[0].content["configuration"] != people:
        raise BadInput(
            f"{path}: an account of other people; give another path, or the data that it was opened with"
        )
    return Ledger(path, run_id=run_id, signer=_signer(environment), configuration=people)


def _signer(environment: Mapping[str, str]) -> SigningKey | None:
    if not environment.get(KEY):
        return None
    if not environment.get(PASSPHRASE):
        raise BadInput(f"{KEY} is set, but not {PASSPHRASE}, which opens the key")
    return SigningKey.read(Path(environment[KEY]), passphrase=environment[PASSPHRASE])


def _witness(environment: Mapping[str, str], run_id: str) -> Witness | None:
    if not environment.get(WITNESS):
        return None
    name = "".join(letter if letter.isalnum() else "-" for letter in run_id)
    return Witness(Path(environment[WITNESS]) / f"{name}.jsonl")
