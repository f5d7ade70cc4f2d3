"""Where fetched data sets lie."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$PENCHANT_CACHE, else `penchant` in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    chosen = os.environ.get("PENCHANT_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penchant"


def dataset_folder(name: str, cache: Path | None) -> Path:
    """The folder of one fetched data set. It is there exactly when the data set is complete."""
    return (cache or cache_folder()) / "datasets" / name
