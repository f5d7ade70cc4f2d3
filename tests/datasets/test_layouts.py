"""Data sets as they are published."""

import gzip
from pathlib import Path

import pytest

from penchant.datasets import load
from penchant.errors import BadInput


def test_films_parted_by_double_colons(tmp_path: Path) -> None:
    (tmp_path / "movies.dat").write_bytes(
        "7::Alien: Resurrection (1997)::Horror|Sci-Fi\n9::Amélie (2001)::\n".encode("latin-1")
    )
    (tmp_path / "ratings.dat").write_text("1::9::8::1000\n1::7::10::2000\n2::7::3::1500\n")
    data = load(str(tmp_path))
    assert data.timed
    assert data.catalogue.texts == ("Alien: Resurrection (1997). Horror, Sci-Fi", "Amélie (2001)")
    assert [data.catalogue.item_ids[item] for item in data.behaviours.of(0).items] == ["9", "7"]
    assert data.behaviours.values.tolist() == [8, 10, 3]
    (tmp_path / "users.dat").write_text("1::9912345\n2::5512345\n")
    assert load(str(tmp_path)).people == {}
    (tmp_path / "users.dat").write_text("1::F::25::3::90210\n2::M::56::7::10001\n")
    assert load(str(tmp_path)).people["age_band"] == ("25-34", "56+")


def test_books_with_titles_that_were_cut(tmp_path: Path) -> None:
    books = [
        "Book_ID\tISBN\tBook-Title\tBook-Author\tYear-Of-Publication\tPublisher",
        "1\tx1\tAngels &amp\t Demons\tDan Brown\t2001\tPocket &amp\t Co\thttp://a\t",
        "2\tx2\tDune\tFrank Herbert\t0\tAce\thttp://b\t",
    ]
    (tmp_path / "items_info.dat.gz").write_bytes(gzip.compress("\n".join(books).encode("latin-1")))
    (tmp_path / "book_history.dat").write_text("user\titem\taccessed\n5\t2\t1\n5\t1\t1\n6\t1\t1\n")
    (tmp_path / "users_info.dat").write_text(
        "User-ID\tLocation\tAge\n5\tparis, france\t239\t\n6\trome\t41\t\n"
    )
    data = load(str(tmp_path))
    assert not data.timed
    assert data.catalogue.texts == ("Angels & Demons (2001). Dan Brown", "Dune. Frank Herbert")
    assert data.people["age_band"] == ("unknown", "35-44")
    assert data.behaviours.counts.tolist() == [2, 1]


def test_a_row_that_is_too_short_is_named(tmp_path: Path) -> None:
    (tmp_path / "movies.dat").write_text("7::Alien (1979)::Horror\n")
    (tmp_path / "ratings.dat").write_text("1::7::8::1000\n1::7\n")
    with pytest.raises(BadInput, match=r"ratings\.dat:2: 2 fields where at least 4"):
        load(str(tmp_path))
    (tmp_path / "ratings.dat").write_text("1::7::8::1000\n1::8::9::1000\n")
    with pytest.raises(BadInput, match=r"ratings\.dat:2: item_id '8' is not in movies\.dat"):
        load(str(tmp_path))
