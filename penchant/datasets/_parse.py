"""Turn columns into numbers, times and kinds. What cannot be turned becomes null, and is reported by the checks."""

from typing import Final

import polars as pl

from penchant.types import KINDS, Kind

_MICROSECONDS: Final = 1_000_000
_ZONED: Final = "%Y-%m-%dT%H:%M:%S%.f%z"
_PLAIN: Final = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
_LATEST: Final = 9.2e18
"""Just under 2**63: later times do not fit."""


def numbers(column: pl.Series) -> pl.Series:
    """Float64, null where the cell is no finite number."""
    text = column.str.strip_chars() if column.dtype == pl.String else column
    found = text.cast(pl.Float64, strict=False)
    return found.set(found.is_finite().not_(), None)


def moments(column: pl.Series) -> pl.Series:
    """Microseconds since 1970 (UTC), Int64: from seconds since 1970, ISO 8601 text, or a date type.

    A date is its first instant; a time without a zone is UTC.
    """
    if column.dtype.is_temporal():
        return column.cast(pl.Datetime("us")).dt.epoch("us") if column.dtype != pl.Time else _nothing(column)
    scaled = numbers(column) * _MICROSECONDS
    seconds = scaled.set(scaled.abs() >= _LATEST, None).floor().cast(pl.Int64)
    if column.dtype != pl.String or not seconds.has_nulls():
        return seconds
    return seconds.fill_null(_dates(column)) if seconds.null_count() < len(column) else _dates(column)


def kinds(column: pl.Series) -> pl.Series:
    """Int8 codes of `types.KINDS`; capitals do not matter."""
    names = pl.Enum([kind.value for kind in KINDS])
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    return text.cast(names, strict=False).to_physical().cast(pl.Int8)


def code(kind: Kind) -> int:
    return KINDS.index(kind)


def _dates(column: pl.Series) -> pl.Series:
    text = column.str.strip_chars().str.replace(" ", "T", literal=True).str.replace("Z$", "+00:00")
    days = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    found = [text.str.to_datetime(form, time_unit="us", strict=False) for form in _PLAIN]
    zoned = text.str.to_datetime(_ZONED, time_unit="us", strict=False).dt.replace_time_zone(None)
    return pl.select(pl.coalesce(*found, zoned, days)).to_series().dt.epoch("us")


def _nothing(column: pl.Series) -> pl.Series:
    return pl.Series(column.name, [None] * len(column), dtype=pl.Int64)
