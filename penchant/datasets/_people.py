"""What is known of a person beside behaviour: the groups of the fairness figures."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

import polars as pl

from penchant.datasets._prepare import NUMBER

UNKNOWN: Final = "unknown"
"""The group of those of whom a column says nothing."""

_STARTS: Final = [18, 25, 35, 45, 50, 56]
AGE_BANDS: Final = ["under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56+"]
"""The age bands of MovieLens-1M, which codes an age by the first year of its band."""


def people(user_ids: tuple[str, ...], users: pl.DataFrame) -> Mapping[str, tuple[str, ...]]:
    """Columns gender, age_band and occupation, as far as the users file has them, in the order of user_ids."""
    if "age" in users.columns:
        users = users.with_columns(age_band=pl.Series(_bands(users[NUMBER]), dtype=pl.String))
    columns = [name for name in ("gender", "age_band", "occupation") if name in users.columns]
    aligned = pl.DataFrame({"user_id": user_ids}).join(users, on="user_id", how="left", maintain_order="left")
    text = pl.col(columns).cast(pl.String).str.strip_chars().replace("", None).fill_null(UNKNOWN)
    return {name: tuple(column) for name, column in aligned.select(text).to_dict(as_series=False).items()}


def _bands(ages: pl.Series) -> list[str | None]:
    return [None if age is None else AGE_BANDS[bisect_right(_STARTS, age)] for age in ages]
