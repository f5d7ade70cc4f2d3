"""From checked tables to a catalogue and behaviours."""

import numpy as np
import polars as pl

from penchant.behaviours import Behaviours, gather
from penchant.catalogue import Catalogue, item_text
from penchant.datasets._prepare import AGE, AT, CATEGORIES, CODE, NUMBER, VALUE


def user_ids(interactions: pl.DataFrame) -> tuple[str, ...]:
    """Everyone with at least one event, numbers by size, then names by alphabet."""
    return _in_order(interactions["user_id"])


def catalogue_of_ids(interactions: pl.DataFrame) -> Catalogue:
    """A catalogue where only ids are known: title and text are the id."""
    ids = _in_order(interactions["item_id"])
    return Catalogue(ids, ids, ids, ((),) * len(ids))


def catalogue(items: pl.DataFrame) -> Catalogue:
    """Every item of the file in its order. A least age becomes a category, as "16+", and is no part of the text."""
    titles = items["title"].to_list()
    years = items[NUMBER].cast(pl.Int64).to_list()
    categories = tuple(map(tuple, items[CATEGORIES].to_list()))
    descriptions = _text(items, "description")
    texts = tuple(
        item_text(title, year=year, categories=own, description=description)
        for title, year, own, description in zip(titles, years, categories, descriptions, strict=True)
    )
    domains = tuple(_text(items, "domain")) if "domain" in items.columns else ()
    ages = items[AGE].cast(pl.Int64).to_list()
    rated = tuple((*own, f"{age}+") if age else own for own, age in zip(categories, ages, strict=True))
    return Catalogue(tuple(items["item_id"]), tuple(titles), texts, rated, domains)


def behaviours(interactions: pl.DataFrame, users: tuple[str, ...], items: Catalogue) -> Behaviours:
    """Every row as an event."""
    return gather(
        user_ids=users,
        item_ids=items.item_ids,
        users=_codes(interactions["user_id"], users),
        items=_codes(interactions["item_id"], items.item_ids),
        microseconds=interactions[AT].to_numpy(),
        values=interactions[VALUE].fill_null(float("nan")).cast(pl.Float32).to_numpy(),
        kinds=interactions[CODE].to_numpy(),
    )


def _codes(names: pl.Series, order: tuple[str, ...]) -> np.typing.NDArray[np.int32]:
    return names.cast(pl.Enum(order)).to_physical().cast(pl.Int32).to_numpy()


def _in_order(names: pl.Series) -> tuple[str, ...]:
    name = pl.col(names.name)
    return tuple(
        names.unique().to_frame().sort(name.cast(pl.Int64, strict=False), name, nulls_last=True).to_series()
    )


def _text(items: pl.DataFrame, name: str) -> list[str]:
    if name not in items.columns:
        return [""] * items.height
    return items[name].cast(pl.String).fill_null("").str.strip_chars().to_list()
