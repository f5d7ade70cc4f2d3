"""Tuning looks at validation items alone, and remembers what it found."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from penchant.baselines import (
    BASELINES,
    GRIDS,
    READ_VECTORS,
    Bench,
    ContentKnn,
    Ease,
    ItemKnn,
    Scorer,
    settings,
)
from penchant.behaviours import Behaviours, Split, leave_one_out
from penchant.datasets import Dataset
from penchant.evaluation import Part
from penchant.types import F32


@pytest.fixture
def split(tiny: Dataset) -> Split:
    return leave_one_out(tiny.behaviours)


def _bench(split: Split, folder: Path | None = None) -> Bench:
    return Bench(split, np.eye(12, dtype=np.float32), "tiny", folder)


def test_choice_is_blind_to_the_test_items(split: Split) -> None:
    grid = [Ease(ridge, memory) for ridge in (0.1, 1.0, 10.0) for memory in (None, 1.0)]
    other = replace(split, test=np.roll(split.test, 1))
    assert _bench(split).tune(grid) == _bench(other).tune(grid)


def test_the_best_on_validation_is_chosen_and_the_earlier_of_equals(split: Split) -> None:
    bench = _bench(split)
    found = bench.tune([Ease(1e9), Ease(1.0), replace(Ease(1.0))])
    assert found.validation == max(
        bench.record(Ease(r), Part.VALIDATION)["full"]["ndcg@10"] for r in (1e9, 1.0)
    )
    assert found.tried == 3
    assert bench.tune([Ease(1.0), Ease(1.0)]).chosen is not None


@dataclass(frozen=True)
class Counting:
    """Counts how often it is fitted, in a file."""

    tally: str
    ridge: float = 1.0

    def fit(self, train: Behaviours, vectors: F32) -> Scorer:
        with Path(self.tally).open("a") as file:
            file.write("x")
        return Ease(self.ridge).fit(train, vectors)


def test_what_was_evaluated_is_remembered_for_the_same_data_and_settings_only(
    split: Split, tmp_path: Path
) -> None:
    tally, folder = tmp_path / "tally", tmp_path / "kept"
    first = _bench(split, folder).record(Counting(str(tally)))
    assert _bench(split, folder).record(Counting(str(tally))) == first
    assert tally.read_text() == "x"
    Bench(split, np.eye(12, dtype=np.float32), "other data", folder).record(Counting(str(tally)))
    assert tally.read_text() == "xx"
    _bench(split).record(Counting(str(tally)))
    assert tally.read_text() == "xxx"


def test_the_chosen_settings_are_not_fitted_again_for_their_test(split: Split, tmp_path: Path) -> None:
    tally = str(tmp_path / "tally")
    bench = _bench(split)
    bench.record(bench.tune([Counting(tally, 1e9), Counting(tally, 1.0), Counting(tally, 1e8)]).chosen)
    assert Path(tally).read_text() == "xxx"


def test_vectors_tell_figures_apart_where_they_are_read_alone(split: Split, tmp_path: Path) -> None:
    """What was tuned without them is not tuned again for a baseline that rests on it and reads them."""
    kept = []
    for described in ("one", "other"):
        bench = Bench(split, np.eye(12, dtype=np.float32), "tiny", tmp_path, described)
        for baseline in (Ease(1.0), ContentKnn()):
            bench.record(baseline)
            kept.append(len(list(tmp_path.glob("*.json"))))
    assert kept == [1, 2, 2, 3]
    assert {"content_knn", "hybrid_weighted", "hybrid_stacked", "sasrec_text"} == READ_VECTORS


def test_settings_tell_baselines_apart() -> None:
    described = [str(settings(baseline)) for baseline in BASELINES.values()]
    described += [str(settings(baseline)) for grid in GRIDS.values() for baseline in grid]
    assert len({*described}) >= len(BASELINES) + sum(map(len, GRIDS.values())) - len(GRIDS) - 1
    assert settings(ItemKnn(5, 1.0)) == {"model": "ItemKnn", "neighbours": 5, "shrink": 1.0, "memory": None}
    nested = settings(BASELINES["hybrid_stacked"])["parts"]
    assert [part["model"] for part in nested][:2] == ["Popularity", "RecentPopularity"]


def test_baselines_that_read_vectors_are_named(split: Split) -> None:
    """Nothing else changes with them."""
    people = np.arange(8)
    for name, baseline in BASELINES.items():
        if name in READ_VECTORS or name.startswith("sasrec"):
            continue
        blind, told = (
            baseline.fit(split.train, vectors).scores(split.train, people)
            for vectors in (np.empty((12, 0), np.float32), np.eye(12, dtype=np.float32))
        )
        np.testing.assert_array_equal(blind, told)
