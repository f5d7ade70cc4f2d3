"""A static page of recommendations: cards for each person, in one file that needs no network."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE: Final = Path(__file__).parent


def cards_page(lists: Mapping[str, Sequence[Mapping[str, Any]]], *, title: str) -> str:
    """One section of cards a person. lists: person to records of place, item_id, title, categories and because.

    Everything in the records is escaped; the page has no script and loads nothing.
    """
    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters.update(hue=_hue)
    style = Markup((_HERE / "cards.css").read_text(encoding="utf-8"))
    return environment.get_template("cards.html").render(lists=lists, title=title, style=style)


def _hue(item_id: str) -> int:
    """A colour of its own for each item: degrees on the colour circle."""
    return int.from_bytes(hashlib.sha256(item_id.encode()).digest()[:2], "big") % 360
