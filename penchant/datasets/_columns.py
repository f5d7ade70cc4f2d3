"""Which columns a file has, under which names, and what must be there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penchant.errors import BadInput


@dataclass(frozen=True)
class Schema:
    """What one kind of file holds.

    role: "interactions", "items" or "users".  names: our column name to every name that is read as it, first ours.
    required: the columns without which the file cannot be used.
    """

    role: str
    names: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]


INTERACTIONS: Final = Schema(
    "interactions",
    {
        "user_id": ("user_id",),
        "item_id": ("item_id",),
        "rating": ("rating", "weight", "value"),
        "timestamp": ("timestamp", "datetime"),
        "kind": ("kind",),
    },
    required=("user_id", "item_id"),
)

ITEMS: Final = Schema(
    "items",
    {
        "item_id": ("item_id",),
        "title": ("title", "movie_title", "name"),
        "year": ("year", "release_year"),
        "categories": ("categories", "category", "genres", "genre", "class"),
        "description": ("description", "text"),
        "minimum_age": ("minimum_age",),
        "domain": ("domain",),
    },
    required=("item_id", "title"),
)

USERS: Final = Schema(
    "users",
    {
        "user_id": ("user_id",),
        "gender": ("gender",),
        "age": ("age",),
        "age_band": ("age_band",),
        "occupation": ("occupation",),
    },
    required=("user_id",),
)


def recognise(file: str, header: list[str], schema: Schema) -> dict[str, str]:
    """Our column names to the names in this file's header, for the columns that the schema knows.

    RecBole's types (`user_id:token`), capitals and blanks around a name do not matter; other columns are left alone.
    Raises: BadInput naming a missing column, or two columns that mean the same.
    """
    ours = {alias: name for name, aliases in schema.names.items() for alias in aliases}
    found: dict[str, str] = {}
    for written in header:
        name = ours.get(written.split(":")[0].strip().lower())
        if name in found:
            raise BadInput(
                f"{file}:1: columns '{found[name]}' and '{written}' both mean {name}; remove or rename one"
            )
        if name is not None:
            found[name] = written
    for name in schema.required:
        if name not in found:
            raise BadInput(_missing(file, name, header, schema))
    return found


def _missing(file: str, name: str, header: list[str], schema: Schema) -> str:
    accepted = " or ".join(f"'{alias}'" for alias in schema.names[name])
    return (
        f"{file}:1: column '{name}' is missing (the header has: {', '.join(header)}); "
        f"name a column {accepted}"
    )
