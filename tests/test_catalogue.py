"""A catalogue's index, digest and item texts."""

from dataclasses import replace

import pytest

from penchant.catalogue import Catalogue, item_text
from penchant.errors import BadInput

FILMS = Catalogue(
    ("1", "2"),
    ("Toy Story", "GoldenEye"),
    ("Toy Story (1995)", "GoldenEye (1995)"),
    (("Comedy",), ("Action",)),
)


def test_index_inverts_item_ids() -> None:
    assert [FILMS.index[item_id] for item_id in FILMS.item_ids] == list(range(len(FILMS)))


@pytest.mark.parametrize(
    "other",
    [
        replace(FILMS, item_ids=("2", "1")),
        replace(FILMS, titles=("Toy Story", "Golden Eye")),
        replace(FILMS, texts=("Toy Story (1995)", "GoldenEye")),
        replace(FILMS, categories=(("Comedy", "Action"), ())),
    ],
)
def test_digest_changes_with_every_column(other: Catalogue) -> None:
    assert other.digest != FILMS.digest
    assert replace(FILMS).digest == FILMS.digest


def test_an_item_named_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        replace(FILMS, item_ids=("1", "1"))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(BadInput, match="lengths"):
        replace(FILMS, titles=("Toy Story",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (item_text("Alien"), "Alien"),
        (item_text("Alien", year=1979), "Alien (1979)"),
        (item_text("Alien (1979)", year=1979), "Alien (1979)"),
        (item_text("Alien", categories=("Horror", "Sci-Fi")), "Alien. Horror, Sci-Fi"),
        (item_text("Alien", year=1979, description="In space."), "Alien (1979). In space."),
        (
            item_text("Alien", year=1979, categories=("Horror",), description="Cold."),
            "Alien (1979). Horror. Cold.",
        ),
    ],
)
def test_item_text_leaves_out_what_is_not_known(text: str, expected: str) -> None:
    assert text == expected
