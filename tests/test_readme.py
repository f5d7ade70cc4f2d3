"""The README's commands and links lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES: Final = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))


def prose(page: str) -> str:
    """The page without its code, in which brackets mean other things."""
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", page, flags=re.MULTILINE | re.DOTALL)


def links(page: str) -> list[str]:
    """Targets of the page's links and pictures that lie in this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(page: str) -> set[str]:
    """What a page's headings can be linked by."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    for target in links(page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            yield target


def targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A heading\n[a](missing.md) [b](#a-heading) [c](#none) `[d](code.md)` [e](https://f.g)\n"
    )
    assert list(broken(page)) == ["missing.md", "#none"]


def test_the_readme_starts_with_the_two_commands_that_need_nothing_else() -> None:
    blocks = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks[0].split("\n") == ["$ make demo", "$ make test", ""]
    assert {"demo", "test"} <= targets((ROOT / "Makefile").read_text(encoding="utf-8"))


def test_every_page_is_reached_from_the_readme() -> None:
    reached, new = set[Path](), {ROOT / "README.md"}
    while new:
        reached |= new
        linked = {
            (page.parent / target.partition("#")[0]).resolve()
            for page in new
            for target in links(page.read_text(encoding="utf-8"))
        }
        new = {page for page in linked if page.suffix == ".md" and page.is_file()} - reached
    assert set(PAGES) <= reached


def test_pages_name_no_place_on_a_machine() -> None:
    for page in PAGES:
        assert re.findall(r"(?<!\w)/(?:tmp|work|root|home|Users)/", page.read_text(encoding="utf-8")) == []
