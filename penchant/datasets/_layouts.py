"""Folders as well-known data sets come in, without a header or with one that says little: recognised by their files."""

import gzip
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from penchant.datasets._columns import INTERACTIONS, ITEMS, USERS, Schema
from penchant.datasets._tables import ROW, Table
from penchant.errors import BadInput

_OLDEST: Final = 110
"""An age above this is a slip, and counts as not known."""

_YEAR: Final = re.compile(r"\d{1,4}")
_DATED: Final = re.compile(r"\((\d{4})(?:[^)]*)\)$")


def read_layout(folder: Path) -> tuple[Table, Table, Table | None] | None:
    """Interactions, items and people of a folder whose layout is known; None where it is not.

    MovieLens and MovieTweetings: `ratings.dat`, `movies.dat` and, in MovieLens, `users.dat`, parted by `::`.
    Book-Crossing as cleaned by CaseRecommender: `book_history.dat`, `items_info.dat` or `.dat.gz`, `users_info.dat`,
    parted by tabs.  Text is UTF-8, or else Latin-1.
    Raises: BadInput naming the line that has too few fields.
    """
    if (folder / "ratings.dat").is_file() and (folder / "movies.dat").is_file():
        return _movies(folder)
    if (folder / "book_history.dat").is_file():
        return _books(folder)
    return None


def _movies(folder: Path) -> tuple[Table, Table, Table | None]:
    ratings = _rows(folder / "ratings.dat", "::", 4)
    films = _rows(folder / "movies.dat", "::", 2)
    titles = [row[1] for row in films]
    years = [found[1] if (found := _DATED.search(title)) else None for title in titles]
    items: dict[str, Iterable[str | None]] = {
        "item_id": [row[0] for row in films],
        "title": titles,
        "year": years,
        "categories": [row[2] if len(row) > 2 else "" for row in films],
    }
    names = ("user_id", "item_id", "rating", "timestamp")
    events = {name: [row[at] for row in ratings] for at, name in enumerate(names)}
    return (
        _table(folder / "ratings.dat", INTERACTIONS, events),
        _table(folder / "movies.dat", ITEMS, items),
        _movie_people(folder / "users.dat"),
    )


def _movie_people(path: Path) -> Table | None:
    """Of MovieLens alone: the file that MovieTweetings has under this name says who somebody is elsewhere, not read."""
    if not path.is_file():
        return None
    rows = [row for row in _rows(path, "::", 2) if len(row) == 5]
    columns = {"user_id": [row[0] for row in rows], "gender": [row[1] for row in rows]}
    return _table(path, USERS, {**columns, "age": [row[2] for row in rows]}) if rows else None


def _books(folder: Path) -> tuple[Table, Table, Table | None]:
    history = _rows(folder / "book_history.dat", "\t", 2)[1:]
    catalogue = next(
        (folder / name for name in ("items_info.dat", "items_info.dat.gz") if (folder / name).is_file()), None
    )
    if catalogue is None:
        raise BadInput(f"{folder}: book_history.dat is here and items_info.dat is not; put it beside it")
    books = [_book(row) for row in _rows(catalogue, "\t", 5)[1:]]
    names = ("item_id", "title", "description", "year")
    events = {"user_id": [row[0] for row in history], "item_id": [row[1] for row in history]}
    return (
        _table(folder / "book_history.dat", INTERACTIONS, events, first_line=2),
        _table(catalogue, ITEMS, dict(zip(names, zip(*books, strict=True), strict=True)), first_line=2),
        _readers(folder / "users_info.dat"),
    )


def _book(row: Sequence[str]) -> tuple[str, str, str, str | None]:
    """Id, title, author and year. A title was cut where an escape like `&amp;` ended with `;`: it is joined.

    The year is the last number before the publisher; the author stands before it, the title from the third field on.
    """
    place = next((at for at in range(len(row) - 1, 3, -1) if _YEAR.fullmatch(row[at].strip())), 4)
    title, author = (
        html.unescape(";".join(part)).strip() for part in (row[2 : place - 1], row[place - 1 : place])
    )
    year = row[place].strip()
    return row[0], title or row[1], author, year if year.isdigit() and int(year) > 0 else None


def _readers(path: Path) -> Table | None:
    if not path.is_file():
        return None
    rows = _rows(path, "\t", 1)[1:]
    ages = [row[2].strip() if len(row) > 2 else "" for row in rows]
    known = [age if age.isdigit() and int(age) <= _OLDEST else "" for age in ages]
    return _table(path, USERS, {"user_id": [row[0] for row in rows], "age": known}, first_line=2)


def _rows(path: Path, separator: str, least: int) -> list[list[str]]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    rows = [line.split(separator) for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    for number, row in enumerate(rows, start=1):
        if len(row) < least:
            raise BadInput(
                f"{path}:{number}: {len(row)} fields where at least {least} are needed; mend or remove the row"
            )
    return rows


def _table(
    path: Path, schema: Schema, columns: Mapping[str, Iterable[str | None]], *, first_line: int = 1
) -> Table:
    frame = pl.DataFrame(
        {name: pl.Series(name, list(values), dtype=pl.String) for name, values in columns.items()}
    )
    written = {name: name for name in columns}
    return Table(path, schema, frame.with_row_index(ROW), written, first_line=first_line)
