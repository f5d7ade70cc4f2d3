"""What every test may ask for: a real data set, and a tiny one made by hand."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

os.environ.update(
    {
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
    }
)

import numpy as np
import pytest
from hypothesis import settings

from penchant.behaviours import gather
from penchant.cache import cache_folder
from penchant.catalogue import Catalogue, item_text
from penchant.datasets import Dataset, fetch, load
from penchant.types import KINDS, Kind

settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")

_FILMS = (
    ("Toy Story", 1995, ("Animation", "Children's", "Comedy")),
    ("Aladdin", 1992, ("Animation", "Children's", "Musical")),
    ("Lion King, The", 1994, ("Animation", "Children's", "Musical")),
    ("Star Wars", 1977, ("Action", "Adventure", "Sci-Fi")),
    ("Alien", 1979, ("Action", "Horror", "Sci-Fi")),
    ("Blade Runner", 1982, ("Film-Noir", "Sci-Fi")),
    ("Godfather, The", 1972, ("Action", "Crime", "Drama")),
    ("Pulp Fiction", 1994, ("Crime", "Drama")),
    ("Fargo", 1996, ("Crime", "Drama", "Thriller")),
    ("Casablanca", 1942, ("Drama", "Romance", "War")),
    ("Sense and Sensibility", 1995, ("Drama", "Romance")),
    ("Psycho", 1960, ("Horror", "Romance", "Thriller")),
)

_WATCHED = {
    "ann": ("Toy Story", "Aladdin", "Star Wars", "Lion King, The"),
    "ben": ("Alien", "Blade Runner", "Star Wars", "Psycho", "Fargo"),
    "cas": ("Godfather, The", "Pulp Fiction", "Fargo"),
    "dee": ("Casablanca", "Sense and Sensibility", "Godfather, The", "Psycho"),
    "eli": ("Star Wars", "Alien"),
    "fay": ("Aladdin", "Lion King, The", "Casablanca", "Sense and Sensibility", "Toy Story", "Fargo"),
    "gus": ("Blade Runner",),
    "hal": ("Pulp Fiction", "Godfather, The", "Blade Runner", "Alien"),
}

Watched = Mapping[str, tuple[str, ...]]


@pytest.fixture(scope="session")
def movielens_100k() -> Dataset:
    """MovieLens-100K from the cache; fetched on first use (one worker does, the others wait)."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "fetch.lock"):
        fetch("movielens-100k", accepted_terms=True, cache=cache)
    return load("movielens-100k", cache=cache)


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """Eight people, twelve films: one person with one event, one with two, groups known."""
    return _tiny(_WATCHED)


@pytest.fixture(scope="session")
def tiny_of() -> Callable[[Watched], Dataset]:
    """Build a data set from "who watched what, in order", over the twelve films."""
    return _tiny


def _tiny(watched: Watched) -> Dataset:
    ids = tuple(title.lower().replace(" ", "-") for title, _, _ in _FILMS)
    titles = tuple(title for title, _, _ in _FILMS)
    texts = tuple(item_text(title, year=year, categories=genres) for title, year, genres in _FILMS)
    catalogue = Catalogue(ids, titles, texts, tuple(genres for _, _, genres in _FILMS))
    rows = [
        (user, titles.index(title), 86_400 * (1 + day))
        for user, films in enumerate(watched.values())
        for day, title in enumerate(films)
    ]
    users, items, seconds = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    behaviours = gather(
        user_ids=tuple(watched),
        item_ids=ids,
        users=users.astype(np.int32),
        items=items.astype(np.int32),
        microseconds=seconds * 1_000_000,
        values=np.full(len(rows), 4, dtype=np.float32),
        kinds=np.full(len(rows), KINDS.index(Kind.RATING), dtype=np.int8),
    )
    people = {
        "gender": tuple("FM"[n % 2] for n in range(len(watched))),
        "age_band": tuple(("18-24", "25-34", "35-44")[n % 3] for n in range(len(watched))),
    }
    return Dataset("tiny", catalogue, behaviours, people, source="made by hand")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
