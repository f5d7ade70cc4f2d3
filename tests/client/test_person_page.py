"""The person's page in a real browser: with the mouse, with the keyboard alone, as a screen reader hears it."""

import hashlib
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from penchant.client.agent_v1 import agent_pb2 as v1
from penchant.strategies.invitation import Invitation
from tests.client.chromium import CHROMIUM, Page, chromium
from tests.client.running_agent import Running, event

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

SAID = "(document.querySelector('#said')?.innerText ?? '')"


@pytest.fixture
def page(agent: Running, invitation: Invitation, tmp_path: Path) -> Iterator[Page]:
    """The page of a person with three events, opened as `penchant client agent` says."""
    agent.call(
        "RecordEvents",
        iter(
            [
                event(invitation, "Alien"),
                event(invitation, "Casablanca", v1.KIND_PURCHASE),
                event(invitation, "Psycho", v1.KIND_LIKE),
            ]
        ),
    )
    with chromium(tmp_path / "chromium") as browser:
        browser.looks()
        browser.open(agent.page)
        browser.until("window.htmx")
        yield browser


def privacy(agent: Running) -> v1.Privacy:
    told: v1.Privacy = agent.call("GetPrivacy", v1.GetPrivacyRequest())
    return told


@needs_chromium
def test_a_person_with_a_mouse(agent: Running, page: Page, tmp_path: Path) -> None:
    """Takes part, chooses, forgets one event, takes the data along, forgets everything. The page is loaded once."""
    assert "Because you liked Psycho" in page.text()
    page.value("window.stayed = true")

    page.click("#consent")
    page.until(f"{SAID} === 'You take part in training now.'")
    assert privacy(agent).consents
    page.click("#consent")
    page.until(f"{SAID}.startsWith('You no longer take part')")
    assert not privacy(agent).consents

    page.click("input[name=kind][value=like]")
    page.click("input[name=block][value=Crime]")
    page.click("#choose")
    page.until(f"{SAID}.startsWith('Your choices are saved')")
    told = privacy(agent)
    assert v1.KIND_LIKE not in told.kinds
    assert v1.KIND_VIEW in told.kinds
    assert list(told.blocked_categories) == ["Crime"]
    assert "you liked Psycho" not in page.text(), "a kind that does not count is a reason"
    assert "Pulp Fiction" not in page.text()

    page.click("[aria-label='Forget view of Alien']")
    page.until(f"{SAID} === 'The event is forgotten.'")
    assert "you viewed Alien" not in page.text()
    page.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click("a[download]")
    page.until("true")
    exported = _arrived(page, tmp_path / "penchant-export.json")
    assert [one["kind"] for one in exported["events"]] == ["purchase", "like"]

    page.click("#erase")
    assert page.value("document.querySelector('[name=sure]').validity.valueMissing")
    assert (agent.home / "store.sqlite").exists(), "everything was erased though the person was not sure"
    page.click("input[name=sure]")
    page.click("#erase")
    page.until("document.querySelector('h1').innerText === 'Everything on this device was erased'")
    assert "2 updates or counts left this device" in page.text()
    assert page.value("window.stayed")
    assert {file.name for file in agent.home.iterdir()} == {"account.json"}
    (agent.home / "agent.json").write_text("{}")  # for the fixture


def _arrived(page: Page, file: Path) -> dict[str, list[dict[str, str]]]:
    for _ in range(200):
        if file.is_file() and file.stat().st_size:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        page.value("new Promise(done => setTimeout(done, 50))")
    raise AssertionError(f"{file.name} did not arrive")


@needs_chromium
def test_a_person_with_a_keyboard_and_a_screen_reader(agent: Running, page: Page) -> None:
    """Everything that can be done has a name, is reached in the order of the page, shows that it is, and is heard."""
    page.press("Tab")
    assert page.focused() == "Skip to my recommendations"
    page.press("Enter")
    page.press("Tab")
    assert page.focused() == "Take part", "the skip link leads past the navigation"
    outline = page.value("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus cannot be seen"
    page.press("Enter")
    page.until(f"{SAID} === 'You take part in training now.'")
    assert privacy(agent).consents
    assert page.focused() == "Stop taking part", "focus was lost when the page changed"

    page.press("Tab")
    assert page.value("document.activeElement.value") == "view"
    page.press("Space")
    while page.focused() != "Save my choices":
        page.press("Tab")
    page.press("Space")
    page.until(f"{SAID}.startsWith('Your choices are saved')")
    assert v1.KIND_VIEW not in privacy(agent).kinds
    page.press("Tab")
    assert page.focused() == "Forget like of Psycho"
    page.press("Enter")
    page.until(f"{SAID} === 'The event is forgotten.'")
    page.until("document.activeElement.id === 'events-title'")  # where the row was
    page.press("Tab", shift=True)
    assert page.focused() == "Save my choices"

    spoken = page.spoken()
    roles = {role for role, _ in spoken}
    assert {"banner", "navigation", "main", "heading", "status", "table", "checkbox", "spinbutton"} <= roles
    for role in ("button", "link", "checkbox", "spinbutton", "meter", "region", "navigation"):
        assert all(name for kind, name in spoken if kind == role), f"a {role} without a name"
    named = {name for role, name in spoken if role == "region"}
    assert named >= {"What left this device", "My choices", "My events", "My data"}
    assert ("checkbox", "I am sure") in spoken
    assert ("status", "") in spoken or any(role == "status" for role, _ in spoken)
    assert page.value("document.querySelector('#said').getAttribute('role')") == "status"
    levels = [
        int(level)
        for level in page.value("[...document.querySelectorAll('h1,h2,h3')].map(one => one.tagName[1])")
    ]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_narrow_screen_and_can_be_read_in_the_dark(page: Page, dark: bool) -> None:
    page.looks(width=360, height=800, dark=dark)
    wide = page.value("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], "a narrow screen has to be scrolled sideways"
    assert page.value(CONTRAST) >= 4.5
    shown = page.value("document.documentElement.outerHTML")
    assert not re.findall(r"(?:src|href)=\"(?!/|#|data:)", shown), "something comes from elsewhere"
    assert re.findall(r"<script[^>]*>[^<]", shown) == [], "a script in the page itself"


CONTRAST = """
Math.min(...[...document.querySelectorAll('body, .note, .share, .categories, a, button, caption')].map(one => {
  const light = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(c => c / 255)
    .map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const [a, b] = [light(getComputedStyle(one).color), light(getComputedStyle(document.body).backgroundColor)];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}))
"""
"""The least contrast of any text with the page behind it, as WCAG 2.2 reckons it (1.4.3 asks for 4.5)."""


def test_htmx_is_the_published_one() -> None:
    """dist/htmx.min.js of htmx.org 2.0.4 on the npm registry."""
    content = (files("penchant.client") / "htmx-2.0.4.min.js").read_bytes()
    published = "e209dda5c8235479f3166defc7750e1dbcd5a5c1808b7792fc2e6733768fb447"
    assert hashlib.sha256(content).hexdigest() == published
