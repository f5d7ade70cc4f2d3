"""Several domains made of one catalogue, and csv files that read as what was written."""

import json
from pathlib import Path

import numpy as np
import pytest

from penchant.cli import main
from penchant.datasets import Dataset, load, split_domains, write_dataset
from penchant.errors import BadInput

GROUPS = {"drama": frozenset({"Drama", "Romance"}), "action": frozenset({"Action", "Adventure", "Sci-Fi"})}


def test_items_of_one_group_and_people_of_both(movielens_100k: Dataset) -> None:
    made = split_domains(movielens_100k, GROUPS)
    for categories, domain in zip(made.catalogue.categories, made.catalogue.domains, strict=True):
        assert [name for name, own in GROUPS.items() if own & set(categories)] == [domain]
    inside = made.catalogue.within("drama")[made.behaviours.items]
    for own in (inside, ~inside):
        assert set(made.behaviours.users[own]) == set(range(made.behaviours.n_users))
    person = made.behaviours.user_ids[7]
    before = movielens_100k.behaviours.of(movielens_100k.behaviours.user_ids.index(person)).items
    kept = [movielens_100k.catalogue.item_ids[item] for item in before]
    ids = [made.catalogue.item_ids[item] for item in made.behaviours.of(7).items]
    assert ids == [item for item in kept if item in made.catalogue.index]
    assert made.people["gender"][7] == movielens_100k.people["gender"][int(person) - 1]


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({"a": frozenset({"Drama"})}, "at least two groups"),
        ({"a": frozenset({"Drama"}), "b": frozenset({"Drama"})}, "must not overlap"),
        ({"a": frozenset({"Drama"}), "b": frozenset({"Opera"})}, "no item has this category"),
    ],
)
def test_groups_that_make_no_domains(tiny: Dataset, groups: dict[str, frozenset[str]], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        split_domains(tiny, groups)


def test_what_is_written_reads_as_the_same(movielens_100k: Dataset, tmp_path: Path) -> None:
    made = split_domains(movielens_100k, GROUPS)
    write_dataset(made, tmp_path / "two")
    read = load(str(tmp_path / "two"))
    assert read.catalogue == made.catalogue
    assert read.people == made.people
    for column in ("items", "at", "values", "kinds", "offsets"):
        np.testing.assert_array_equal(getattr(read.behaviours, column), getattr(made.behaviours, column))
    with pytest.raises(BadInput, match="not empty"):
        write_dataset(made, tmp_path / "two")


@pytest.mark.usefixtures("movielens_100k")
def test_the_command_counts_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    domains = [f"--domain={name}={','.join(sorted(own))}" for name, own in GROUPS.items()]
    command = ["data", "split-domains", "movielens-100k", *domains, "--out", str(tmp_path / "two")]
    assert main([*command, "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record["domains"]) == {"drama", "action"}
    assert load(record["folder"]).behaviours.n_events == record["n_events"]
    assert main([*command[:3], "--domain", "drama", "--out", str(tmp_path / "x")]) == 2
