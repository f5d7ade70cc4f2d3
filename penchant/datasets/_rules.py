"""The rules that rows must keep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from penchant.datasets._prepare import AGE, AT, CODE, NUMBER, VALUE, WIDE
from penchant.datasets._tables import Table
from penchant.types import KINDS, Kind


@dataclass(frozen=True)
class Rule:
    """column: ours.  failing: true where a prepared row breaks the rule.  says: the rule and the cure, after the value.

    dropped: `load` passes over such a row (the first of equal rows is kept); a row that breaks another rule it refuses.
    """

    column: str
    failing: pl.Expr
    says: str
    dropped: bool = False


def interaction_rules(table: Table, items: Table | None, *, now: float) -> Iterator[Rule]:
    """What every interaction must keep. items: what may be named, if known.  now: seconds since 1970."""
    yield from _filled("user_id", "item_id")
    if items is not None:
        known = pl.col("item_id").is_in(items.frame["item_id"].implode())
        yield Rule("item_id", ~known, f"is not in {items.path.name}; add the item there or remove the row")
    yield from _contents(table, now)


def newcomer_rules(table: Table, known: Sequence[str], *, now: float) -> Iterator[Rule]:
    """What every row of people who were not there in training must keep. known: item ids; a row may name no item."""
    yield from _filled("user_id")
    strange = pl.col("item_id").is_not_null() & ~pl.col("item_id").is_in(pl.Series(known).implode())
    yield Rule("item_id", strange, "is not in the catalogue of the run; remove the row")
    yield from _contents(table, now)


def item_rules(table: Table) -> Iterator[Rule]:
    """What every item must keep."""
    yield from _filled("item_id", "title")
    yield _unique("item_id")
    if "domain" in table.frame.columns:
        empty = pl.col("domain").is_null() | (pl.col("domain").cast(pl.String).str.strip_chars() == "")
        yield Rule("domain", empty, "is empty; where one item has a domain, each needs one")
    if "year" in table.frame.columns:
        whole = (pl.col(NUMBER) == pl.col(NUMBER).floor()).fill_null(value=False)
        yield Rule("year", _given("year") & ~whole, "is no year; give a whole number or leave it empty")
    if "minimum_age" in table.frame.columns:
        whole = (pl.col(AGE).is_between(0, 99) & (pl.col(AGE) == pl.col(AGE).floor())).fill_null(value=False)
        says = "is no age; give a whole number of years from 0 to 99 or leave it empty"
        yield Rule("minimum_age", _given("minimum_age") & ~whole, says)


def user_rules(table: Table) -> Iterator[Rule]:
    """What every person's row must keep."""
    yield from _filled("user_id")
    yield _unique("user_id")
    if "age" in table.frame.columns:
        years = (pl.col(NUMBER) >= 0).fill_null(value=False)
        yield Rule("age", _given("age") & ~years, "is no age in years; give a number or leave it empty")


def _contents(table: Table, now: float) -> Iterator[Rule]:
    if "timestamp" in table.frame.columns:
        yield from _times(now)
    if "rating" in table.frame.columns:
        needed = _given("rating") | (pl.col(CODE) == KINDS.index(Kind.RATING))
        yield Rule("rating", needed & pl.col(VALUE).is_null(), "is no number")
    if "kind" in table.frame.columns:
        yield Rule("kind", pl.col(CODE).is_null(), f"is no kind of event; say one of {', '.join(KINDS)}")
    yield _first("item_id", "user_id", "item_id", AT, CODE)


def _filled(*names: str) -> Iterator[Rule]:
    yield Rule(
        names[0],
        pl.col(WIDE),
        "begins a row that has more fields than the header; quote or remove the separator",
    )
    for name in names:
        yield Rule(name, pl.col(name).is_null(), "is empty")


def _times(now: float) -> Iterator[Rule]:
    at = pl.col(AT)
    yield Rule(
        "timestamp", at.is_null(), "is no time; give seconds since 1970 or a date like 2024-05-17T20:15:00"
    )
    future = "lies in the future; times are seconds (not milliseconds) since 1970, UTC"
    yield Rule("timestamp", at > int(now * 1_000_000), future)


def _first(shown: str, *names: str) -> Rule:
    complete = pl.all_horizontal(pl.col(*names).is_not_null())
    says = "repeats an earlier row (same person, item, time and kind); the first is kept"
    return Rule(shown, complete & ~pl.struct(*names).is_first_distinct(), says, dropped=True)


def _unique(name: str) -> Rule:
    again = pl.col(name).is_not_null() & ~pl.col(name).is_first_distinct()
    return Rule(name, again, "stands in an earlier row; give each row its own")


def _given(name: str) -> pl.Expr:
    return pl.col(name).is_not_null() & (pl.col(name).cast(pl.String).str.strip_chars() != "")
