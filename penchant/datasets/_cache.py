"""Where fetched data sets lie."""

from pathlib import Path

from penchant.cache import cache_folder


def dataset_folder(name: str, cache: Path | None = None) -> Path:
    """The folder of one known data set. It exists exactly when the data set is there, complete."""
    return (cache or cache_folder()) / "datasets" / name
