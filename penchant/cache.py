"""Where Penchant keeps what it can make or fetch again: data sets and encoded texts."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$PENCHANT_CACHE`, else `$XDG_CACHE_HOME/penchant`, else `~/.cache/penchant`. It need not exist yet.

    Data sets lie in its `datasets`, item vectors in its `vectors`. Deleting it loses nothing but time.
    """
    if chosen := os.environ.get("PENCHANT_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "penchant"
