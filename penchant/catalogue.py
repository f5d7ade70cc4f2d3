"""The items that can be recommended: public, the same for every person."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from penchant.errors import BadInput
from penchant.types import Bool


@dataclass(frozen=True)
class Catalogue:
    """Items by index. Each column has one entry an item.

    texts: what the language model reads, made by `item_text`.  categories: genres or the like, may be empty.
    domains: what kind of thing each item is, like film or book; no entries where all are of one kind.
    Raises: BadInput when the columns differ in length or an id stands twice.
    """

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    domains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.item_ids), len(self.titles), len(self.texts), len(self.categories)}
        if len(lengths) != 1:
            raise BadInput(
                f"a catalogue needs one title, text and category list an item; lengths are {sorted(lengths)}"
            )
        if self.domains and len(self.domains) != len(self.item_ids):
            raise BadInput(
                f"a catalogue needs a domain for each item or for none; "
                f"{len(self.domains)} of {len(self.item_ids)} have one"
            )
        if len(self.index) != len(self.item_ids):
            raise BadInput("a catalogue names an item twice; item ids must differ")

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Item id to index."""
        return {item_id: index for index, item_id in enumerate(self.item_ids)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over every column: equal exactly when the catalogues are equal."""
        content = [self.item_ids, self.titles, self.texts, self.categories]
        content += [self.domains] if self.domains else []
        return hashlib.sha256(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        ).hexdigest()

    def within(self, domain: str) -> Bool:
        """bool[n_items]: which items are of this domain. Raises: BadInput naming the domains that there are."""
        if domain not in self.domains:
            there = ", ".join(sorted(set(self.domains))) or "none: give items a column `domain`"
            raise BadInput(f"{domain}: no such domain in this catalogue; there are {there}")
        return np.array([own == domain for own in self.domains])

    def of_items(self, kept: Bool) -> "Catalogue":
        """The items that `kept` (bool[n_items]) marks, in order."""
        rows = np.flatnonzero(kept)
        return Catalogue(
            tuple(self.item_ids[row] for row in rows),
            tuple(self.titles[row] for row in rows),
            tuple(self.texts[row] for row in rows),
            tuple(self.categories[row] for row in rows),
            tuple(self.domains[row] for row in rows if self.domains),
        )


def item_text(
    title: str, *, year: int | None = None, categories: tuple[str, ...] = (), description: str = ""
) -> str:
    """What the language model reads of one item: "Title (Year). Category, Category. Description".

    Parts that are not known are left out with their punctuation: "Toy Story (1995). Animation, Children's, Comedy",
    "Toy Story (1995)", "Toy Story". A year that already ends the title is not said again.
    """
    dated = title if year is None or title.endswith(f"({year})") else f"{title} ({year})"
    return ". ".join(part for part in (dated, ", ".join(categories), description) if part)
