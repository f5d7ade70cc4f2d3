"""Read data sets: known ones by name, your own by path."""

from penchant.datasets._cache import cache_folder, dataset_folder
from penchant.datasets._checks import BadRow, Inspection, inspect
from penchant.datasets._fetch import fetch
from penchant.datasets._folder import read_tables
from penchant.datasets._known import KNOWN, KnownDataset
from penchant.datasets._load import Dataset, load

__all__ = [
    "KNOWN",
    "BadRow",
    "Dataset",
    "Inspection",
    "KnownDataset",
    "cache_folder",
    "dataset_folder",
    "fetch",
    "inspect",
    "load",
    "read_tables",
]
