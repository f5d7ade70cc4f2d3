"""The same data in every format that is read gives the same data set."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from penchant.datasets import load
from penchant.errors import BadInput
from penchant.types import KINDS, Kind

EVENTS = pl.DataFrame(
    {
        "user_id": ["ann", "ann", "ben", "ben", "cas"],
        "item_id": ["alien", "fargo", "alien", "heat", "heat"],
        "rating": [4.0, 3.5, 5.0, 1.0, 2.0],
        "timestamp": [1_000, 2_000, 1_500, 2_500, 3_000],
    }
)
ITEMS = pl.DataFrame(
    {
        "item_id": ["alien", "fargo", "heat"],
        "title": ["Alien", "Fargo", "Heat"],
        "year": [1979, 1996, 1995],
        "genres": ["Horror|Sci-Fi", "Crime|Drama", "Action|Crime"],
    }
)
PEOPLE = pl.DataFrame({"user_id": ["cas", "ann"], "gender": ["F", "M"], "age": [17, 35]})


def _text(folder: Path, suffix: str, separator: str) -> None:
    for stem, frame in (("interactions", EVENTS), ("items", ITEMS), ("users", PEOPLE)):
        frame.write_csv(folder / f"{stem}{suffix}", separator=separator)


def csv(folder: Path) -> None:
    _text(folder, ".csv", ",")


def tsv(folder: Path) -> None:
    _text(folder, ".tsv", "\t")


def parquet(folder: Path) -> None:
    EVENTS.write_parquet(folder / "interactions.parquet")
    ITEMS.with_columns(pl.col("genres").str.split("|")).write_parquet(folder / "items.parquet")
    PEOPLE.write_parquet(folder / "users.parquet")


def recbole(folder: Path) -> None:
    names = {"user_id": "user_id:token", "item_id": "item_id:token", "rating": "rating:float"}
    events = EVENTS.rename({**names, "timestamp": "timestamp:float"})
    genres = pl.col("genres").str.replace_all("|", " ", literal=True)
    item_names = {"title": "movie_title:token_seq", "year": "release_year:token", "genres": "class:token_seq"}
    items = ITEMS.with_columns(genres).rename({"item_id": "item_id:token", **item_names})
    people = PEOPLE.rename({"user_id": "user_id:token", "gender": "gender:token", "age": "age:token"})
    for suffix, frame in ((".inter", events), (".item", items), (".user", people)):
        frame.write_csv(folder / f"films{suffix}", separator="\t", quote_style="never")


def rectools(folder: Path) -> None:
    csv(folder)
    when = pl.from_epoch("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S").alias("datetime")
    events = EVENTS.select("user_id", "item_id", pl.col("rating").alias("weight"), when)
    events.write_csv(folder / "interactions.csv")


def dates_in_parquet(folder: Path) -> None:
    parquet(folder)
    EVENTS.with_columns(pl.from_epoch("timestamp")).write_parquet(folder / "interactions.parquet")


def capitals_and_blanks(folder: Path) -> None:
    csv(folder)
    rows = "\r\n\r\n".join(f" {u} ,{i}, {r},{t} " for u, i, r, t in EVENTS.rows())
    (folder / "interactions.csv").write_text(f"\ufeffUser_ID, item_id ,Rating,TIMESTAMP\r\n{rows}\r\n\r\n")


@pytest.mark.parametrize(
    "write",
    [csv, tsv, parquet, recbole, rectools, dates_in_parquet, capitals_and_blanks],
    ids=lambda f: f.__name__,
)
def test_every_format_gives_the_same_data_set(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path)
    dataset = load(str(tmp_path))
    assert dataset.catalogue.texts[0] == "Alien (1979). Horror, Sci-Fi"
    assert dataset.catalogue.categories[2] == ("Action", "Crime")
    assert dataset.behaviours.user_ids == ("ann", "ben", "cas")
    assert dataset.behaviours.items.tolist() == [0, 1, 0, 2, 2]
    assert dataset.behaviours.at.tolist() == [1_000, 2_000, 1_500, 2_500, 3_000]
    assert dataset.behaviours.values.tolist() == [4.0, 3.5, 5.0, 1.0, 2.0]
    assert set(dataset.behaviours.kinds) == {KINDS.index(Kind.RATING)}
    assert dataset.people == {"gender": ("M", "unknown", "F"), "age_band": ("35-44", "unknown", "under 18")}


def test_digest_knows_the_data_and_not_the_place(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
        csv(folder)
    EVENTS.with_columns(pl.col("rating") + 1).write_csv(folders[2] / "interactions.csv")
    one, same, other = (load(str(folder)).digest for folder in folders)
    assert one == same != other


def test_a_single_file_is_a_data_set_whose_titles_are_ids(tmp_path: Path) -> None:
    EVENTS.write_csv(tmp_path / "watched.csv")
    dataset = load(str(tmp_path / "watched.csv"))
    assert dataset.name == "watched"
    assert dataset.catalogue.titles == dataset.catalogue.item_ids == ("alien", "fargo", "heat")
    assert dataset.people == {}


def test_ids_that_are_numbers_stand_by_size(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("user_id,item_id,timestamp\n10,1,5\n9,11,6\nx,2,7\n")
    dataset = load(str(tmp_path / "i.csv"))
    assert dataset.behaviours.user_ids == ("9", "10", "x")
    assert dataset.catalogue.item_ids == ("1", "2", "11")


def test_kinds_are_read_and_assumed(tmp_path: Path) -> None:
    (tmp_path / "kinds.csv").write_text(
        "user_id,item_id,rating,timestamp,kind\na,x,,1,Click\na,y,4,2,rating\n"
    )
    (tmp_path / "none.csv").write_text("user_id,item_id,timestamp\na,x,1\n")
    behaviours = load(str(tmp_path / "kinds.csv")).behaviours
    assert [KINDS[code] for code in behaviours.kinds] == [Kind.CLICK, Kind.RATING]
    assert np.isnan(behaviours.values[0])
    assert [KINDS[code] for code in load(str(tmp_path / "none.csv")).behaviours.kinds] == [Kind.VIEW]


@pytest.mark.parametrize(
    ("written", "second"),
    [
        ("1700000000", 1_700_000_000),
        ("1700000000.75", 1_700_000_000),
        ("2023-11-14", datetime(2023, 11, 14, tzinfo=UTC).timestamp()),
        ("2023-11-14 22:13:20", 1_700_000_000),
        ("2023-11-14T22:13:20.5Z", 1_700_000_000),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000),
    ],
)
def test_times_may_be_written_as_seconds_or_dates(written: str, second: float, tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text(f"user_id,item_id,timestamp\na,x,{written}\n")
    assert load(str(tmp_path / "i.csv")).behaviours.at.tolist() == [second]


def test_core_filters_are_off_unless_asked_for(tmp_path: Path) -> None:
    csv(tmp_path)
    assert load(str(tmp_path)).behaviours.n_events == 5
    core = load(str(tmp_path), min_user_events=2)
    assert core.behaviours.user_ids == ("ann", "ben")
    assert core.people["gender"] == ("M", "unknown")
    assert len(core.catalogue) == 3
    with pytest.raises(BadInput, match="lower min_user_events"):
        load(str(tmp_path), min_user_events=2, min_item_events=2)


def test_data_without_times_stands_in_an_order_that_the_file_does_not_decide(tmp_path: Path) -> None:
    rows = [f"{person},{item}" for person in "abcdefgh" for item in "stuvwxyz"]
    orders = []
    for order in (rows, rows[::-1]):
        (tmp_path / "i.csv").write_text("user_id,item_id\n" + "\n".join(order) + "\n")
        data = load(str(tmp_path / "i.csv"))
        assert not data.timed
        assert "random" in data.order
        orders.append(data.behaviours.items)
    np.testing.assert_array_equal(orders[0], orders[1])
    assert len({tuple(data.behaviours.of(person).items) for person in range(8)}) > 4
    (tmp_path / "timed").mkdir()
    csv(tmp_path / "timed")
    assert load(str(tmp_path / "timed")).timed


def test_items_may_be_of_several_domains(tmp_path: Path) -> None:
    csv(tmp_path)
    assert load(str(tmp_path)).catalogue.domains == ()
    ITEMS.with_columns(domain=pl.Series(["film", "film", "book"])).write_csv(tmp_path / "items.csv")
    catalogue = load(str(tmp_path)).catalogue
    assert catalogue.domains == ("film", "film", "book")
    assert catalogue.within("book").tolist() == [False, False, True]
    with pytest.raises(BadInput, match="there are book, film"):
        catalogue.within("game")
    ITEMS.with_columns(domain=pl.Series(["film", "", "book"])).write_csv(tmp_path / "items.csv")
    with pytest.raises(BadInput, match="where one item has a domain, each needs one"):
        load(str(tmp_path))


def test_a_least_age_becomes_a_category_and_stays_out_of_the_text(tmp_path: Path) -> None:
    csv(tmp_path)
    before = load(str(tmp_path)).catalogue
    ITEMS.with_columns(minimum_age=pl.Series([16, None, 0])).write_csv(tmp_path / "items.csv")
    catalogue = load(str(tmp_path)).catalogue
    assert catalogue.categories == ((*before.categories[0], "16+"), *before.categories[1:])
    assert catalogue.texts == before.texts


def test_the_core_is_the_largest_one(tmp_path: Path) -> None:
    """Item y falls, person b with it; the square of a and c on w and x stays."""
    rows = ["a,w,1", "a,x,2", "c,w,3", "c,x,4", "b,x,5", "b,y,6"]
    (tmp_path / "i.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(rows) + "\n")
    core = load(str(tmp_path / "i.csv"), min_user_events=2, min_item_events=2)
    assert core.behaviours.user_ids == ("a", "c")
    assert core.behaviours.counts.tolist() == [2, 2]
    assert core.catalogue.item_ids == ("w", "x")
