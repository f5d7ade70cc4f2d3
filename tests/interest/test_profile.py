"""Interest profiles: known answers by hand, planted interests found, phrases of a catalogue."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from penchant.catalogue import Catalogue
from penchant.cli import main
from penchant.datasets import Dataset, write_dataset
from penchant.interest.phrases import phrases
from penchant.interest.profile import ProfileMaker, TagKind, Tags, average_precision
from penchant.types import F32, I32

CATEGORIES = (("sea",), ("sea", "war"), ("war",), ("love",))
TAGS = Tags.of_categories(CATEGORIES)


def history(*items: int) -> I32:
    return np.array(items, np.int32)


def test_weights_by_hand() -> None:
    assert TAGS.names == ("love", "sea", "war")
    np.testing.assert_allclose(TAGS.usual, [0.25, 0.5, 0.5])
    maker = ProfileMaker(half_life=1.0, trust=1.0)
    fade = np.array([0.25, 0.5, 1.0])
    expected = (np.array([0, fade[0] + fade[1], fade[1] + fade[2]]) + TAGS.usual) / (fade.sum() + 1)
    np.testing.assert_allclose(maker.weights(TAGS, history(0, 1, 2)), expected)


def test_who_did_nothing_is_as_usual_and_has_no_interests() -> None:
    maker = ProfileMaker()
    np.testing.assert_allclose(maker.weights(TAGS, history()), TAGS.usual)
    assert maker.interests(TAGS, history()) == []


def test_an_interest_that_came_and_one_that_went() -> None:
    """Four events at sea, then four of love: both are seen in the windows, the fading weight follows the latter."""
    found = ProfileMaker(half_life=2.0, trust=0.5, windows=2).interests(TAGS, history(0, 0, 0, 0, 3, 3, 3, 3))
    by_name = {one.name: one for one in found}
    assert found[0].name == "love"
    assert by_name["love"].trend[1] > by_name["love"].trend[0]
    assert by_name["love"].events == (7, 6, 5)
    assert by_name["love"].usual == pytest.approx(0.25)
    assert "sea" not in by_name


def test_usual_is_what_people_choose_where_it_is_known() -> None:
    liked: F32 = np.array([1, 0, 0, 3], np.float32)
    np.testing.assert_allclose(Tags.of_categories(CATEGORIES, liked).usual, [0.75, 0.25, 0])


def test_phrases_near_the_events_come_first() -> None:
    rng = np.random.default_rng(0)
    items = rng.normal(size=(40, 6)).astype(np.float32)
    items[:20, 0] += 4
    items[20:, 1] += 4
    tags = Tags.of_phrases(("ships", "hearts"), np.eye(6, dtype=np.float32)[:2], items)
    assert tags.kind is TagKind.PHRASE
    np.testing.assert_allclose(tags.affinity.mean(axis=0), 0, atol=1e-5)
    for events, first in ((history(1, 5, 9), "ships"), (history(25, 30), "hearts")):
        found = ProfileMaker().interests(tags, events)
        assert [one.name for one in found] == [first]
        assert set(found[0].events) <= set(range(len(events)))


def test_average_precision_by_hand() -> None:
    right: F32 = np.array([1, 0, 1, 0], np.float32)
    assert average_precision(np.array([4.0, 3, 2, 1]), right) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([1.0, 1, 1, 1]), right) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_phrases_are_what_several_items_share() -> None:
    titles = ("Star Wars", "Star Trek", "The Star Wars Story", "Alien and the Star Wars")
    catalogue = Catalogue(tuple("abcd"), titles, titles, (("Action", "Sci-Fi"),) * 3 + ((),))
    assert phrases(catalogue, least_items=3) == ("Action Sci-Fi", "star wars", "star", "wars")
    assert phrases(catalogue, least_items=5) == ()


def test_the_command_shows_one_person_and_measures_all(
    movielens_100k: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    adapters = ("training.adapter_steps=0", "training.final_adapter_steps=0")
    small = ("privacy.unit=none", "federation.rounds=0", "model.width=8", "encoder.whiten_rank=64", *adapters)
    few = replace(movielens_100k, behaviours=movielens_100k.behaviours.of_people(np.arange(200)), people={})
    write_dataset(few, tmp_path / "few")
    told = ["simulate", "--data", str(tmp_path / "few"), "--quiet", "--out", run]
    assert main([*told, *(f"--set={text}" for text in small)]) == 0
    capsys.readouterr()
    assert main(["profile", run, "--user", "42", "--tags", "5", "--windows", "2", "--format", "json"]) == 0
    interests = json.loads(capsys.readouterr().out)["interests"]
    assert {one["kind"] for one in interests} == {"category", "phrase"}
    titles = set(movielens_100k.catalogue.titles)
    for one in interests:
        assert one["strength"] > 0
        assert len(one["trend"]) == 2
        assert set(one["events"]) <= titles
    assert main(["profile", run, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["test"]
    assert found["profile"]["average_precision"] > 1.02 * found["category_popularity"]["average_precision"]
    assert found["profile"]["people"] == found["category_popularity"]["people"]
    assert main(["profile", run, "--user", "nobody"]) == 2
