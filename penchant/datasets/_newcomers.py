"""People who were not there in training, and the little that is known of them."""

from pathlib import Path

import polars as pl

from penchant.behaviours import Behaviours
from penchant.catalogue import Catalogue
from penchant.datasets._assemble import behaviours
from penchant.datasets._checks import inspect_newcomers, refuse
from penchant.datasets._columns import INTERACTIONS
from penchant.datasets._tables import read_table


def load_newcomers(path: Path, catalogue: Catalogue) -> Behaviours:
    """A file like interactions, of people in the order in which they first stand there.

    A row without an item names somebody of whom nothing is known.
    Raises: BadInput for bad rows, an item that is not in the catalogue among them.
    """
    checked = inspect_newcomers(read_table(path, INTERACTIONS), catalogue.item_ids)
    refuse(tuple(row for row in checked.bad if not row.dropped), path)
    people = tuple(checked.kept["user_id"].unique(maintain_order=True))
    return behaviours(checked.kept.filter(pl.col("item_id").is_not_null()), people, catalogue)
