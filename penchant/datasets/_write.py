"""Write a data set as csv files that read as the same data set."""

import re
from pathlib import Path

import polars as pl

from penchant.catalogue import Catalogue, item_text
from penchant.datasets._load import Dataset
from penchant.errors import BadInput
from penchant.types import KINDS


def write_dataset(dataset: Dataset, folder: Path) -> None:
    """`interactions.csv`, `items.csv` and, where groups are known, `users.csv`. Times are whole seconds.

    Raises: BadInput where the folder holds something.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise BadInput(f"{folder}: the folder is not empty; choose another, or empty it")
    folder.mkdir(parents=True, exist_ok=True)
    _events(dataset).write_csv(folder / "interactions.csv")
    _items(dataset.catalogue).write_csv(folder / "items.csv")
    if dataset.people:
        users = {"user_id": dataset.behaviours.user_ids, **dataset.people}
        pl.DataFrame(users).write_csv(folder / "users.csv")


def _events(dataset: Dataset) -> pl.DataFrame:
    own, items = dataset.behaviours, dataset.catalogue.item_ids
    frame = pl.DataFrame(
        {
            "user_id": [own.user_ids[user] for user in own.users],
            "item_id": [items[item] for item in own.items],
            "rating": pl.Series(own.values).fill_nan(None),
            "kind": [KINDS[code].value for code in own.kinds],
            "timestamp": own.at,
        }
    )
    return frame if dataset.timed else frame.drop("timestamp")


def _items(catalogue: Catalogue) -> pl.DataFrame:
    rows = zip(catalogue.titles, catalogue.texts, catalogue.categories, strict=True)
    columns = [_parts(title, text, categories) for title, text, categories in rows]
    frame = pl.DataFrame(
        {
            "item_id": catalogue.item_ids,
            "title": catalogue.titles,
            "year": [year for year, _ in columns],
            "categories": ["|".join(own) for own in catalogue.categories],
            "description": [description for _, description in columns],
        }
    )
    return frame.with_columns(domain=pl.Series(catalogue.domains)) if catalogue.domains else frame


def _parts(title: str, text: str, categories: tuple[str, ...]) -> tuple[int | None, str]:
    """The year and the description that `item_text` made the text of."""
    dated = re.match(re.escape(title) + r" \((\d{1,4})\)", text)
    year = int(dated[1]) if dated else None
    said = item_text(title, year=year, categories=categories)
    return year, text[len(said) :].removeprefix(". ")
