"""Find the rows that break a rule, without changing anything."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from penchant.datasets._folder import Tables
from penchant.datasets._prepare import prepare_interactions, prepare_items, prepare_users
from penchant.datasets._rules import Rule, interaction_rules, item_rules, newcomer_rules, user_rules
from penchant.datasets._tables import ROW, Table
from penchant.errors import BadInput

_SHOWN: Final = 3


@dataclass(frozen=True)
class BadRow:
    """One cell that breaks a rule. line: of the file, from 1 (for parquet: the row, from 1).  column: as in the header.

    dropped: `load` passes over the row, because an equal one is kept; a row that breaks another rule it refuses.
    """

    file: str
    line: int
    column: str
    value: str
    rule: str
    dropped: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.column} '{self.value}' {self.rule}"


@dataclass(frozen=True, eq=False)
class Checked:
    """One file, its prepared rows, those that can be kept and what is wrong with the others."""

    table: Table
    kept: pl.DataFrame
    bad: tuple[BadRow, ...]

    def counts(self) -> dict[str, str | int]:
        """The file, what it holds, its data rows and how many of them can be kept."""
        return {
            "file": str(self.table.path),
            "holds": self.table.schema.role,
            "rows": self.table.frame.height,
            "kept": self.kept.height,
        }


@dataclass(frozen=True, eq=False)
class Inspection:
    """Every file of one data set, checked."""

    interactions: Checked
    items: Checked | None
    users: Checked | None

    @property
    def files(self) -> tuple[Checked, ...]:
        return tuple(one for one in (self.interactions, self.items, self.users) if one is not None)

    @property
    def bad(self) -> tuple[BadRow, ...]:
        return tuple(row for file in self.files for row in file.bad)

    def would_keep(self) -> dict[str, int]:
        """Counts without the bad rows. n_users_tested: people with at least two items, one of which can be test."""
        events = self._events()
        items = events.group_by("user_id").agg(pl.col("item_id").n_unique())["item_id"]
        return {
            "n_users": len(items),
            "n_users_tested": int((items >= 2).sum()),
            "n_items": events["item_id"].n_unique(),
            "n_events": events.height,
        }

    def _events(self) -> pl.DataFrame:
        """The interactions that can be kept: good ones with an item whose own row is good."""
        events = self.interactions.kept
        return events if self.items is None else events.join(self.items.kept, on="item_id", how="semi")


def inspect(tables: Tables, *, now: float | None = None) -> Inspection:
    """Check every row of every file. now: seconds since 1970, by default this machine's clock."""
    items = None if tables.items is None else prepare_items(tables.items)
    users = None if tables.users is None else prepare_users(tables.users)
    events = prepare_interactions(tables.interactions)
    rules = list(interaction_rules(events, items, now=time.time() if now is None else now))
    return Inspection(
        _check(events, rules),
        None if items is None else _check(items, list(item_rules(items))),
        None if users is None else _check(users, list(user_rules(users))),
    )


def inspect_items(table: Table) -> Checked:
    """Check every row of a file of items that comes without interactions."""
    items = prepare_items(table)
    return _check(items, list(item_rules(items)))


def inspect_newcomers(table: Table, items: Sequence[str]) -> Checked:
    """Check every row of people who were not there in training. items: ids that may be named."""
    events = prepare_interactions(table)
    return _check(events, list(newcomer_rules(events, items, now=time.time())))


def refuse(rows: tuple[BadRow, ...], path: Path) -> None:
    """Raises: BadInput naming the first of these rows, where there are any."""
    if rows:
        more = f"\n… and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        raise BadInput(
            "\n".join(map(str, rows[:_SHOWN]))
            + more
            + f"\n`penchant data validate {path}` lists every bad row"
        )


def _check(table: Table, rules: list[Rule]) -> Checked:
    failing = table.frame.select(
        rule.failing.fill_null(value=False).alias(str(n)) for n, rule in enumerate(rules)
    )
    kept = table.frame.filter(~failing.select(pl.any_horizontal(pl.all())).to_series())
    if kept.height == table.frame.height:
        return Checked(table, kept, ())
    found = [row for n, rule in enumerate(rules) for row in _bad_rows(table, rule, failing[str(n)])]
    return Checked(table, kept, tuple(sorted(found, key=lambda row: row.line)))


def _bad_rows(table: Table, rule: Rule, failing: pl.Series) -> list[BadRow]:
    rows = table.frame.filter(failing)
    values = rows[rule.column].cast(pl.String).fill_null("").to_list()
    lines = table.lines(rows[ROW].to_list())
    column = table.written[rule.column]
    return [
        BadRow(str(table.path), line, column, value, rule.says, rule.dropped)
        for line, value in zip(lines, values, strict=True)
    ]
