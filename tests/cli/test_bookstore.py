"""From a shop's csv files to private training, lists for new customers, a page of cards and the report."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from penchant.cli import main

RECIPE = Path(__file__).parents[2] / "recipes" / "bookstore.toml"
EVIL = "<script>alert('x')</script> & <b>Sons</b>"
SUBJECTS = ("sea voyages", "murder mysteries", "bread baking")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty books on three subjects, and sixty customers who each read of one; no times."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    books = [
        f'b{n},"{EVIL if n == 0 else f"Book {n} of {SUBJECTS[n % 3]}"}",{SUBJECTS[n % 3]}' for n in range(30)
    ]
    (folder / "items.csv").write_text("item_id,title,category\n" + "\n".join(books) + "\n")
    bought = [
        f"c{person},b{3 * book + person % 3}" for person in range(60) for book in rng.permutation(10)[:6]
    ]
    (folder / "interactions.csv").write_text("user_id,item_id\n" + "\n".join(bought) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(shop: Path) -> Path:
    out = shop.parent / "run"
    small = (
        "company.items=30",
        "encoder.whiten_rank=16",
        "privacy.delta=1e-3",
        "privacy.epsilon=200",
        "privacy.reproducible_noise=true",
    )
    told = ["simulate", str(RECIPE), "--data", str(shop), "--quiet", "--out", str(out)]
    assert main([*told, *(f"--set={text}" for text in small)]) == 0
    return out


class Page(HTMLParser):
    """Every tag with its attributes, and the text of each heading."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("h2", "h3"):
            self.headings.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("h2", "h3"):
            self.headings[-1] += data.strip()


def test_new_customers_get_lists_and_cards(shop: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "new.csv").write_text("user_id,item_id\nnina,b4\nnina,b7\n<i>omar</i>,\npia,b2\n")
    cards = shop / "cards.html"
    told = ["recommend", str(run), "--new-customers", str(shop / "new.csv"), "--cards", str(cards), "-k", "5"]
    assert main([*told, "--format", "json", "--quiet"]) == 0
    people = {one["user"]: one["items"] for one in json.loads(capsys.readouterr().out)["people"]}
    assert list(people) == ["nina", "<i>omar</i>", "pia"]
    assert {item["categories"][0] for item in people["nina"]} == {"murder mysteries"}
    assert not {"b4", "b7"} & {item["item_id"] for item in people["nina"]}
    hers = {f"Book {n} of murder mysteries" for n in (4, 7)}
    assert {item["because"] for item in people["nina"]} - {None} <= hers
    assert any(item["because"] in hers for item in people["nina"])
    assert {item["because"] for item in people["<i>omar</i>"]} == {None}
    anybody = {item["item_id"] for item in people["<i>omar</i>"]}
    assert {item["because"] for item in people["pia"] if item["item_id"] in anybody} <= {None}
    assert {item["because"] for item in people["pia"]} - {None} == {"Book 2 of bread baking"}
    page = Page()
    page.feed(cards.read_text())
    assert page.headings[0] == "nina"
    assert "<i>omar</i>" in page.headings
    assert not {tag for tag, _ in page.tags} & {"script", "img", "i", "b", "iframe"}
    reaching = [value for _, own in page.tags for name, value in own.items() if name in ("href", "src")]
    assert reaching == ["data:,"]


def test_titles_are_escaped_on_the_cards(shop: Path, run: Path) -> None:
    (shop / "sea.csv").write_text("user_id,item_id\nquinn,b3\nquinn,b6\n")
    cards = shop / "sea.html"
    assert (
        main(["recommend", str(run), "--new-customers", str(shop / "sea.csv"), "--cards", str(cards), "-q"])
        == 0
    )
    page = Page()
    page.feed(cards.read_text())
    assert EVIL in page.headings
    assert "script" not in {tag for tag, _ in page.tags}


def test_the_report_says_what_was_spent_and_that_there_are_no_times(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    assert report["privacy"]["unit"] == "user"
    assert 0 < report["privacy"]["epsilon"] <= 200
    assert report["provenance"]["dataset"]["timed"] is False
    assert "random order" in report["accuracy"]["split"]
    assert "This data has no times" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("user_id,item_id\nnina,b99\n", "new.csv:2: item_id 'b99' is not in the catalogue"),
        ("user_id,item_id\n,b1\n", "new.csv:2: user_id '' is empty"),
        ("item_id\nb1\n", "column 'user_id' is missing"),
    ],
)
def test_customers_that_cannot_be_read(
    content: str, said: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text(content)
    assert main(["recommend", str(run), "--new-customers", str(tmp_path / "new.csv")]) == 2
    assert said in capsys.readouterr().err


def test_for_whom_must_be_said_once(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recommend", str(run)]) == 2
    assert "--user or --new-customers" in capsys.readouterr().err
