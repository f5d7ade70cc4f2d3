"""Add typed columns beside the text of the file, so that the rules can compare both."""

from typing import Final

import polars as pl

from penchant.datasets import _parse
from penchant.datasets._tables import ROW, Table
from penchant.types import KINDS, Kind

AT: Final = "_at"
"""Microseconds since 1970 (UTC), Int64; 0 for all where the file has no times."""
VALUE: Final = "_value"
"""The rating, Float64."""
CODE: Final = "_code"
"""Index into `types.KINDS`, Int8."""
NUMBER: Final = "_number"
"""An item's year or a person's age, Float64."""
CATEGORIES: Final = "_categories"
"""An item's categories, a list of text without blanks around it."""
AGE: Final = "_age"
"""The least age in years at which an item may be shown, Float64."""
WIDE: Final = "_wide"
"""True where the row has more fields than the header."""


def prepare_interactions(table: Table) -> Table:
    """Add `AT`, `VALUE` and `CODE`, null where the cell is bad or empty.

    Without a kind column every row is a rating where there is a rating column, else a view.
    """
    frame = _with_ids(table, "user_id", "item_id")
    assumed = Kind.RATING if "rating" in frame.columns else Kind.VIEW
    code = (
        _parse.kinds(frame["kind"])
        if "kind" in frame.columns
        else pl.lit(KINDS.index(assumed), dtype=pl.Int8)
    )
    moment = _parse.moments(frame["timestamp"]) if "timestamp" in frame.columns else pl.lit(0, dtype=pl.Int64)
    return table.with_frame(
        frame.with_columns(moment.alias(AT), _number(frame, "rating").alias(VALUE), code.alias(CODE))
    )


def prepare_items(table: Table) -> Table:
    """Add `NUMBER`, the year, `AGE` and `CATEGORIES`."""
    frame = _with_ids(table, "item_id", "title")
    year, age = _number(frame, "year"), _number(frame, "minimum_age")
    return table.with_frame(
        frame.with_columns(year.alias(NUMBER), age.alias(AGE), _categories(table).alias(CATEGORIES))
    )


def prepare_users(table: Table) -> Table:
    """Add `NUMBER`: the age in years."""
    frame = _with_ids(table, "user_id")
    return table.with_frame(frame.with_columns(_number(frame, "age").alias(NUMBER)))


def _with_ids(table: Table, *names: str) -> pl.DataFrame:
    """Names as text without blanks around them, null where empty; and `WIDE`."""
    text = pl.col(*names).cast(pl.String).str.strip_chars()
    wide = pl.col(ROW).is_in(pl.Series(table.wide, dtype=pl.UInt32).implode())
    return table.frame.with_columns(text.replace("", None), wide.alias(WIDE))


def _categories(table: Table) -> pl.Expr:
    """Text is split at `|`, `;` and `,`, a RecBole `token_seq` also at blanks; a list stays as it is."""
    if "categories" not in table.frame.columns:
        return pl.lit([], dtype=pl.List(pl.String))
    parts = pl.col("categories")
    if table.frame["categories"].dtype == pl.String:
        separators = r"[|;,\s]" if table.written["categories"].endswith(":token_seq") else r"[|;,]"
        parts = parts.str.replace_all(separators, "|").str.split("|")
    part = pl.element().cast(pl.String).str.strip_chars()
    return parts.list.eval(part.filter(part != "")).fill_null([])


def _number(frame: pl.DataFrame, name: str) -> pl.Series | pl.Expr:
    return _parse.numbers(frame[name]) if name in frame.columns else pl.lit(None, dtype=pl.Float64)
