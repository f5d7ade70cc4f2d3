"""report.html: one file that loads nothing, hides nothing, and can be read by everybody."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

import penchant.report
from penchant.report import write_report
from penchant.rundir import RunDirectory, write_json
from penchant.types import Unit

MakeRun = Callable[..., RunDirectory]
STYLE = Path(penchant.report.__file__).with_name("page.css").read_text()


class Tags(HTMLParser):
    """What a page is made of: its tags, their attributes, and the text that is shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._hidden = tag if tag in ("script", "style") else self._hidden

    def handle_endtag(self, tag: str) -> None:
        self._hidden = "" if tag == self._hidden else self._hidden

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data


def _tags(run: RunDirectory) -> Tags:
    return Tags(run.report_html_path.read_text(encoding="utf-8"))


def test_page_asks_for_nothing_from_anywhere(make_run: MakeRun) -> None:
    run = make_run()
    write_report(run)
    tags = _tags(run)
    loading = [
        attrs.get(name) for _, attrs in tags.found for name in ("src", "href", "action", "srcset", "data")
    ]
    assert {address for address in loading if address} == {"data:,"}
    policy = next(attrs["content"] for _, attrs in tags.found if "http-equiv" in attrs)
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_plotly_is_inlined_once_and_every_place_has_its_figure(make_run: MakeRun) -> None:
    run = make_run()
    write_report(run)
    tags = _tags(run)
    page = run.report_html_path.read_text()
    assert len(re.findall(r"plotly\.js v\d", page)) == 1
    places = [attrs["data-figure"] for _, attrs in tags.found if "data-figure" in attrs]
    assert places == [
        "utility",
        "epsilon",
        "accuracy",
        "groups-gender",
        "groups-age_band",
        "groups-occupation",
        "groups-activity",
        "within",
    ]
    assert all(attrs.get("aria-label") for _, attrs in tags.found if "data-figure" in attrs)


def test_what_people_and_files_are_called_cannot_become_markup(make_run: MakeRun) -> None:
    run = make_run("<img src=x onerror=alert(1)>")
    write_report(run)
    tags = _tags(run)
    assert "img" not in [tag for tag, _ in tags.found]
    assert "<b>other</b>" in tags.text
    assert "a test & its <fixture>" in tags.text
    assert "<b>other" not in run.report_html_path.read_text().split('id="figures">')[1].split("</script>")[0]


def test_stamps_are_shown_first(make_run: MakeRun) -> None:
    for terms, stamp in (({"unit": Unit.NONE}, "NOT PRIVATE"), ({"reproducible": True}, "protects nobody")):
        run = make_run(stamp, **terms)
        write_report(run)
        shown = _tags(run).text
        assert stamp in shown
        assert shown.index(stamp) < shown.index("In plain words")
    private = make_run("private")
    write_report(private)
    assert "NOT PRIVATE" not in _tags(private).text


def test_where_one_domain_was_asked_for_nobody_is_told_of_the_whole_catalogue(make_run: MakeRun) -> None:
    run = make_run()
    record = run.read_settings()
    write_json(run.settings_path, {**record, "settings": {**record["settings"], "target_domain": "action"}})
    write_report(run)
    shown = _tags(run).text
    assert shown.count("the catalogue's part 'action'") == 2
    assert "the whole catalogue" not in shown


def test_the_summary_comes_before_figures_and_tables(make_run: MakeRun) -> None:
    run = make_run()
    record = write_report(run)
    shown = _tags(run).text
    assert all(sentence in shown for sentence in record["summary"])
    assert shown.index(record["summary"][0]) < shown.index("Accuracy beside privacy")


def test_compared_runs_stand_in_the_table(make_run: MakeRun) -> None:
    run, other = make_run("private-run"), make_run("open-run", unit=Unit.NONE)
    write_report(run, compare=[other])
    shown = _tags(run).text
    assert "open-run" in shown
    assert "unbounded" in shown


def _luminance(colour: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        ("ink", "ground", 7.0),
        ("ink", "card", 7.0),
        ("ink", "note-ground", 7.0),
        ("soft", "ground", 4.5),
        ("soft", "card", 4.5),
        ("accent", "card", 4.5),
        ("second", "card", 3.0),
        ("muted", "card", 3.0),
        ("danger", "danger-ground", 4.5),
        ("danger", "card", 3.0),
    ],
)
def test_contrast_meets_wcag(scheme: int, ink: str, ground: str, least: float) -> None:
    palette = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", STYLE.split(":root")[scheme + 1]))
    lighter, darker = sorted((_luminance(palette[ink]), _luminance(palette[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= least
