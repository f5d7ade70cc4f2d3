"""Read one file into a table with our column names, and find a row's line again."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from penchant.datasets._columns import Schema, recognise
from penchant.errors import BadInput

_TEXT: Final[Mapping[str, dict[str, Any]]] = {
    ".csv": {"separator": ",", "quote_char": '"'},
    ".tsv": {"separator": "\t", "quote_char": '"'},
    ".inter": {"separator": "\t", "quote_char": None},
    ".item": {"separator": "\t", "quote_char": None},
    ".user": {"separator": "\t", "quote_char": None},
}
SUFFIXES: Final = (*_TEXT, ".parquet")
"""File name endings that can be read; the last three text ones are RecBole's atomic files."""

ROW: Final = "row"
"""The column that numbers a file's data rows from 0, in the order of the file."""


@dataclass(frozen=True, eq=False)
class Table:
    """One file's rows. frame: `ROW` and the recognised columns under our names; text stays text until it is checked.

    written: our names to the names in the file's header.  wide: rows with more fields than the header.
    first_line: where the first row stands in a text file, 2 under a header.
    """

    path: Path
    schema: Schema
    frame: pl.DataFrame
    written: Mapping[str, str]
    wide: tuple[int, ...] = ()
    first_line: int = 2

    def with_frame(self, frame: pl.DataFrame) -> "Table":
        return replace(self, frame=frame)

    def lines(self, rows: list[int]) -> list[int]:
        """Where rows begin in the file: 1-based lines (the header is line 1), or 1-based rows for parquet."""
        if self.path.suffix == ".parquet":
            return [row + 1 for row in rows]
        return [
            self.first_line + row + extra for row, extra in zip(rows, self._extra_lines(rows), strict=True)
        ]

    def _extra_lines(self, rows: list[int]) -> list[int]:
        """How many line ends stand inside quoted fields before each row."""
        if not rows or _TEXT.get(self.path.suffix, {}).get("quote_char") is None:
            return [0] * len(rows)
        text = pl.all().fill_null("").str.count_matches("\n")
        inside = (
            _read_text(self.path)[0]
            .select(pl.sum_horizontal(text))
            .to_series()
            .cum_sum()
            .shift(1, fill_value=0)
        )
        return inside.gather(rows).to_list()


def read_table(path: Path, schema: Schema) -> Table:
    """Read a csv, tsv, RecBole atomic or parquet file. Blank lines are passed over.

    Raises: BadInput when the file is empty, cannot be read or lacks a column.
    """
    frame, wide = _read_parquet(path) if path.suffix == ".parquet" else _read_text(path)
    written = recognise(str(path), frame.columns, schema)
    chosen = frame.with_row_index(ROW).select(
        ROW, **{name: pl.col(header) for name, header in written.items()}
    )
    blank = pl.all_horizontal(pl.exclude(ROW).is_null())
    table = Table(path, schema, chosen.filter(~blank), written, wide)
    if table.frame.is_empty():
        raise BadInput(
            f"{path}: the file has a header and no rows; put at least one row of {schema.role} in it"
        )
    return table


def _read_parquet(path: Path) -> tuple[pl.DataFrame, tuple[int, ...]]:
    try:
        return pl.read_parquet(path, glob=False), ()
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{path}: this is no parquet file ({_first_line(error)}); write it again") from error


def _read_text(path: Path) -> tuple[pl.DataFrame, tuple[int, ...]]:
    """Every column as text, and the rows that have more fields than the header (their extra fields are cut)."""
    options = _TEXT[path.suffix]
    try:
        return pl.read_csv(path, infer_schema=False, glob=False, **options), ()
    except pl.exceptions.NoDataError as error:
        raise BadInput(f"{path}: the file is empty; it needs a header and rows") from error
    except pl.exceptions.ComputeError:
        return _read_ragged(path, options)


def _read_ragged(path: Path, options: dict[str, Any]) -> tuple[pl.DataFrame, tuple[int, ...]]:
    try:
        frame = pl.read_csv(path, infer_schema=False, glob=False, truncate_ragged_lines=True, **options)
    except pl.exceptions.ComputeError as error:
        reason = _first_line(error)
        raise BadInput(
            f"{path}: cannot be read ({reason}); save it as UTF-8 text with every quote closed"
        ) from error
    return frame, _wide_rows(path, len(frame.columns), options)


def _wide_rows(path: Path, width: int, options: dict[str, Any]) -> tuple[int, ...]:
    quote = options["quote_char"]
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(
            stream,
            delimiter=options["separator"],
            quotechar=quote,
            quoting=csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        )
        return tuple(number - 1 for number, fields in enumerate(rows) if len(fields) > width)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
