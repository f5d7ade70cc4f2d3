"""What a person has decided about their device."""

from typing import Final

from pydantic import Field

from penchant.config import Settings
from penchant.types import Kind

EVERY_KIND: Final = frozenset(Kind)


class Preferences(Settings):
    """Choices that the device follows in training and in recommending."""

    kinds: frozenset[Kind] = EVERY_KIND
    """Kinds of events that count. Others are kept, and say nothing to the model."""

    blocked_categories: frozenset[str] = frozenset()
    """Items of these categories are never recommended."""

    age: int | None = Field(default=None, ge=0, le=150)
    """Age in years of who looks at the lists; none sets no limit."""

    age_limits: dict[str, int] = Field(default_factory=dict)
    """Category -> least age. A category that is itself such a limit, as "16+", needs no entry."""

    retention_days: int | None = Field(default=None, ge=1)
    """Events older than this are deleted; none keeps them until they are told to be forgotten."""
