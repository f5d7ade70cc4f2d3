"""Every bad row is found, named by file, line, column and value, and stops `load`; nothing else is."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.datasets import BadRow, inspect, load, read_tables
from penchant.errors import BadInput

GOOD = "ann,alien,4,1000"
HEADER = "user_id,item_id,rating,timestamp"
ITEMS = "item_id,title,year\nalien,Alien,1979\nfargo,Fargo,1996\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "interactions.csv").write_text(f"{HEADER}\n{GOOD}\n")
    return tmp_path


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    (folder / "interactions.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def found(folder: Path) -> list[tuple[str, int, str, str]]:
    bad = inspect(read_tables(folder)).bad
    return [(Path(row.file).name, row.line, row.column, row.value) for row in bad]


BAD_ROWS = {
    "a rating that is no number": ("ben,fargo,five,1000", "rating", "five", "is no number"),
    "a rating that is not finite": ("ben,fargo,nan,1000", "rating", "nan", "is no number"),
    "no rating": ("ben,fargo,,1000", "rating", "", "is no number"),
    "a row cut short": ("ben,fargo", "rating", "", "is no number"),
    "no person": (" ,fargo,4,1000", "user_id", "", "is empty"),
    "no item": ("ben,,4,1000", "item_id", "", "is empty"),
    "an unknown item": ("ben,heat,4,1000", "item_id", "heat", "add the item there or remove the row"),
    "a time that is none": ("ben,fargo,4,yesterday", "timestamp", "yesterday", "give seconds since 1970"),
    "no time": ("ben,fargo,4,", "timestamp", "", "is no time"),
    "a time in the future": ("ben,fargo,4,99999999999", "timestamp", "99999999999", "lies in the future"),
    "milliseconds": ("ben,fargo,4,1700000000000", "timestamp", "1700000000000", "not milliseconds"),
    "too many fields": ("ben,fargo,4,1000,x", "user_id", "ben", "more fields than the header"),
}


@pytest.mark.parametrize(("row", "column", "value", "cure"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_and_refused(row: str, column: str, value: str, cure: str, folder: Path) -> None:
    write(folder, GOOD, row, "cas,fargo,3,2000")
    assert ("interactions.csv", 3, column, value) in found(folder)
    inspection = inspect(read_tables(folder))
    assert inspection.interactions.counts()["kept"] == 2
    assert inspection.would_keep() == {"n_users": 2, "n_users_tested": 0, "n_items": 2, "n_events": 2}
    with pytest.raises(BadInput) as raised:
        load(str(folder))
    for part in (f"interactions.csv:3: {column} '{value}'", cure, "penchant data validate"):
        assert part in str(raised.value)


def test_an_unknown_kind_is_refused(folder: Path) -> None:
    write(folder, f"{GOOD},view", "ben,fargo,,2000,stare", header=f"{HEADER},kind")
    assert found(folder) == [("interactions.csv", 3, "kind", "stare")]


@given(st.lists(st.sampled_from([None, *BAD_ROWS]), min_size=1, max_size=12))
def test_exactly_the_bad_rows_are_reported(
    tmp_path_factory: pytest.TempPathFactory, plan: list[str | None]
) -> None:
    folder = tmp_path_factory.mktemp("planted")
    (folder / "items.csv").write_text(ITEMS)
    rows = [f"ann,alien,4,{n}" if name is None else BAD_ROWS[name][0] for n, name in enumerate(plan)]
    write(folder, *rows)
    bad = {row.line for row in inspect(read_tables(folder)).bad}
    assert bad == {line for line, name in enumerate(plan, start=2) if name is not None}


def test_equal_rows_count_once_and_the_first_is_kept(folder: Path) -> None:
    write(folder, GOOD, "ann,alien,1,1000", "ann,alien,2,1001")
    bad = inspect(read_tables(folder)).bad
    assert [(row.line, row.dropped) for row in bad] == [(3, True)]
    assert load(str(folder)).behaviours.values.tolist() == [4, 2]


def test_lines_are_counted_through_blank_lines_and_quoted_line_ends(folder: Path) -> None:
    (folder / "interactions.csv").write_text(
        f'{HEADER},note\n{GOOD},"two\nlines"\n\nben,fargo,five,1000,plain\n'
    )
    assert found(folder) == [("interactions.csv", 5, "rating", "five")]


def test_columns_are_named_as_the_file_names_them(tmp_path: Path) -> None:
    (tmp_path / "x.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\na\tb\tsoon\n")
    assert found(tmp_path) == [("x.inter", 2, "timestamp:float", "soon")]


def test_parquet_rows_are_numbered_from_one(tmp_path: Path) -> None:
    events = {"user_id": ["a", "a"], "item_id": ["x", "y"], "timestamp": [1.0, float("nan")]}
    pl.DataFrame(events).write_parquet(tmp_path / "interactions.parquet")
    assert found(tmp_path) == [("interactions.parquet", 2, "timestamp", "NaN")]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("item_id,title\nalien,Alien\nalien,Aliens\n", (3, "item_id", "alien")),
        ("item_id,title\nalien,Alien\nheat, \n", (3, "title", "")),
        ("item_id,title,year\nalien,Alien,MCMLXXIX\n", (2, "year", "MCMLXXIX")),
        ("item_id,title,year\nalien,Alien,1979.5\n", (2, "year", "1979.5")),
        ("item_id,title,minimum_age\nalien,Alien,old\n", (2, "minimum_age", "old")),
        ("item_id,title,minimum_age\nalien,Alien,160\n", (2, "minimum_age", "160")),
    ],
)
def test_bad_items_are_named_and_refused(items: str, expected: tuple[int, str, str], folder: Path) -> None:
    (folder / "items.csv").write_text(items)
    assert found(folder) == [("items.csv", *expected)]
    with pytest.raises(BadInput, match=r"items\.csv"):
        load(str(folder))


def test_what_hangs_on_a_bad_item_is_not_counted_as_kept(folder: Path) -> None:
    (folder / "items.csv").write_text("item_id,title\nalien,\nfargo,Fargo\n")
    write(folder, GOOD, "ben,fargo,4,1000")
    assert inspect(read_tables(folder)).would_keep()["n_events"] == 1


def test_bad_people_are_named_and_refused(folder: Path) -> None:
    (folder / "users.csv").write_text("user_id,age,gender\nann,old,F\nann,30,F\nben,,M\n")
    assert found(folder) == [("users.csv", 2, "age", "old"), ("users.csv", 3, "user_id", "ann")]


UNUSABLE = {
    "no user_id": ("interactions.csv", "item_id,timestamp\na,1\n", "column 'user_id' is missing"),
    "no item_id": ("interactions.csv", "user_id,timestamp\na,1\n", "column 'item_id' is missing"),
    "no title": ("items.csv", "item_id\nalien\n", "column 'title' is missing"),
    "empty file": ("interactions.csv", "", "the file is empty"),
    "header alone": ("interactions.csv", f"{HEADER}\n", "no rows"),
    "blank rows alone": ("interactions.csv", f"{HEADER}\n\n\n", "no rows"),
    "one meaning twice": (
        "interactions.csv",
        f"{HEADER},weight\n{GOOD},1\n",
        "'rating' and 'weight' both mean rating",
    ),
    "an open quote": ("interactions.csv", f'{HEADER}\n"ann,alien,4,1\n', "every quote closed"),
    "not UTF-8": ("interactions.csv", f"{HEADER}\nZoë,alien,4,1\n".encode("latin-1"), "save it as UTF-8"),
    "not parquet": ("interactions.parquet", "PAR0", "no parquet file"),
}


@pytest.mark.parametrize(("name", "content", "cure"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_file_says_what_is_wrong(
    name: str, content: str | bytes, cure: str, folder: Path
) -> None:
    if name.endswith(".parquet"):
        (folder / "interactions.csv").unlink()
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput) as raised:
        load(str(folder))
    assert name in str(raised.value)
    assert cure in str(raised.value)


def test_places_without_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="movielens-100k"):
        load(str(tmp_path / "absent"))
    with pytest.raises(BadInput, match=r"name the file interactions\.csv"):
        load(str(tmp_path))
    (tmp_path / "events.xlsx").touch()
    with pytest.raises(BadInput, match="this kind of file is not read"):
        load(str(tmp_path / "events.xlsx"))


def test_two_files_of_one_role_are_refused(folder: Path) -> None:
    (folder / "interactions.tsv").write_text("user_id\titem_id\ttimestamp\na\tb\t1\n")
    with pytest.raises(BadInput, match="leave one of them"):
        load(str(folder))


def test_the_clock_decides_what_is_the_future(folder: Path) -> None:
    tables = read_tables(folder)
    assert [row.column for row in inspect(tables, now=999).bad] == ["timestamp"]
    assert inspect(tables, now=1000).bad == ()


def test_a_bad_row_reads_like_a_compilers_message() -> None:
    row = BadRow("events.csv", 17, "rating", "five", "is no number", dropped=False)
    assert str(row) == "events.csv:17: rating 'five' is no number"
