"""What a person has decided about their device."""

import re
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import Field

from penchant.config import Settings
from penchant.errors import BadInput
from penchant.types import Kind

Age = Annotated[int, Field(ge=0, le=150)]
EVERY_KIND: Final = frozenset(Kind)


class Preferences(Settings):
    """Choices that the device follows in training and in recommending."""

    kinds: frozenset[Kind] = EVERY_KIND
    """Kinds of events that count. Others are kept, and say nothing to the model."""

    blocked_categories: frozenset[str] = frozenset()
    """Items of these categories are never recommended."""

    age: Age | None = None
    """Age in years of who looks at the lists; none sets no limit."""

    age_limits: dict[str, Age] = Field(default_factory=dict)
    """Category -> least age. A category that is itself such a limit, as "16+", needs no entry."""

    retention_days: int | None = Field(default=None, ge=1)
    """Events older than this are deleted; none keeps them until they are told to be forgotten."""


def read_age_limits(lines: Iterable[str]) -> dict[str, int]:
    """From lines such as "Crime 16" or "Crime=16". Raises: BadInput for any other."""
    found: dict[str, int] = {}
    for line in filter(None, map(str.strip, lines)):
        match = _LIMIT.fullmatch(line)
        if match is None:
            raise BadInput(f"{line!r} is no age limit; say a category and its least age, as in Crime=16")
        found[match[1]] = int(match[2])
    return found


_LIMIT: Final = re.compile(r"(.*[^\s=:])[\s=:]+(\d{1,3})")
