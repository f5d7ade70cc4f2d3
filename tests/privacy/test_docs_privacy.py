"""The page names, for each mistake, a test that exists; and each test of a mistake is on the page."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
TESTS: Final = (ROOT / "tests" / "privacy" / "test_pitfalls.py").read_text(encoding="utf-8")


def test_every_mistake_has_its_test_and_every_test_its_line() -> None:
    written = set(re.findall(r"^def (test_\d\d_\w+)", TESTS, re.MULTILINE))
    assert set(re.findall(r"`(test_\d\d_\w+)`", PAGE)) == written
    assert {int(name[5:7]) for name in written} == set(range(1, 20))
