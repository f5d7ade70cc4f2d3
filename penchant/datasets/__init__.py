"""Read data sets: known ones by name, your own by path."""

from penchant.datasets._cache import dataset_folder
from penchant.datasets._checks import BadRow, Checked, Inspection, inspect
from penchant.datasets._domains import split_domains
from penchant.datasets._fetch import fetch, known
from penchant.datasets._folder import read_tables
from penchant.datasets._known import KNOWN, KnownDataset
from penchant.datasets._load import Dataset, load, load_catalogue
from penchant.datasets._newcomers import load_newcomers
from penchant.datasets._write import write_dataset

__all__ = [
    "KNOWN",
    "BadRow",
    "Checked",
    "Dataset",
    "Inspection",
    "KnownDataset",
    "dataset_folder",
    "fetch",
    "inspect",
    "known",
    "load",
    "load_catalogue",
    "load_newcomers",
    "read_tables",
    "split_domains",
    "write_dataset",
]
