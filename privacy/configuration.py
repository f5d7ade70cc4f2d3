"""What a run's ledger is bound to: every setting, version and hash that run.json holds from the start."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import rfc8785

from penchant.errors import BadInput

BOUND: Final = (
    "settings",
    "seed",
    "versions",
    "dataset",
    "catalogue_digest",
    "encoder",
    "code",
    "privacy",
    "model",
    "started_at",
)
"""The fields of run.json that are fixed when a run starts."""


def configuration_digest(record: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of the bound fields. Raises: BadInput where one is missing."""
    missing = [name for name in BOUND if name not in record]
    if missing:
        raise BadInput(f"run.json lacks {', '.join(missing)}; restore it or run again")
    return hashlib.sha256(rfc8785.dumps({name: record[name] for name in BOUND})).hexdigest()
