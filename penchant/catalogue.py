"""The items that can be recommended: public, the same for every person."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from penchant.errors import BadInput


@dataclass(frozen=True)
class Catalogue:
    """Items by index. All four columns have one entry an item.

    texts: what the language model reads, made by `item_text`.  categories: genres or the like, may be empty.
    Raises: BadInput when the columns differ in length or an id stands twice.
    """

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        lengths = {len(self.item_ids), len(self.titles), len(self.texts), len(self.categories)}
        if len(lengths) != 1:
            raise BadInput(
                f"a catalogue needs one title, text and category list an item; lengths are {sorted(lengths)}"
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
        return hashlib.sha256(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        ).hexdigest()


def item_text(
    title: str, *, year: int | None = None, categories: tuple[str, ...] = (), description: str = ""
) -> str:
    """What the language model reads of one item: "Title (Year). Category, Category. Description".

    Parts that are not known are left out with their punctuation: "Toy Story (1995). Animation, Children's, Comedy",
    "Toy Story (1995)", "Toy Story". A year that already ends the title is not said again.
    """
    dated = title if year is None or title.endswith(f"({year})") else f"{title} ({year})"
    return ". ".join(part for part in (dated, ", ".join(categories), description) if part)
