"""Make several domains of one catalogue by its categories: shared people, disjoint items."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from penchant.catalogue import Catalogue
from penchant.datasets._load import Dataset
from penchant.errors import BadInput
from penchant.types import Bool


def split_domains(dataset: Dataset, groups: Mapping[str, frozenset[str]]) -> Dataset:
    """The items of exactly one group of categories, as domains of that name, and the people with events in every one.

    groups: at least two, disjoint; a domain's name to its categories.
    Guarantees: an item whose categories lie in two groups, or in none, is left out with its events.
    Raises: BadInput for groups that overlap, a category that no item has, or nobody with events in every domain.
    """
    _check(dataset, groups)
    found = [
        [name for name, own in groups.items() if own & set(categories)]
        for categories in dataset.catalogue.categories
    ]
    kept = np.array([len(names) == 1 for names in found], np.bool_)
    domains = tuple(names[0] for names in found if len(names) == 1)
    catalogue = replace(dataset.catalogue.of_items(kept), domains=domains)
    return _of_both(dataset, catalogue, kept)


def _of_both(dataset: Dataset, catalogue: Catalogue, kept: Bool) -> Dataset:
    behaviours = dataset.behaviours.where(kept[dataset.behaviours.items])
    renumbered = replace(behaviours, items=(np.cumsum(kept) - 1).astype(np.int32)[behaviours.items])
    inside = [catalogue.within(name)[renumbered.items] for name in sorted(set(catalogue.domains))]
    counts = np.stack([np.bincount(renumbered.users[own], minlength=renumbered.n_users) for own in inside])
    people = np.flatnonzero((counts > 0).all(axis=0))
    if len(people) == 0:
        raise BadInput(f"{dataset.name}: nobody has events in every domain; choose larger groups")
    columns = {name: tuple(column[person] for person in people) for name, column in dataset.people.items()}
    return replace(dataset, catalogue=catalogue, behaviours=renumbered.of_people(people), people=columns)


def _check(dataset: Dataset, groups: Mapping[str, frozenset[str]]) -> None:
    if len(groups) < 2:
        raise BadInput("domains are made of at least two groups of categories; name another --domain")
    there = {category for categories in dataset.catalogue.categories for category in categories}
    named = [(category, name) for name, own in groups.items() for category in sorted(own)]
    for category, name in named:
        if category not in there:
            raise BadInput(f"{category}: no item has this category; there are {', '.join(sorted(there))}")
        others = [other for same, other in named if same == category and other != name]
        if others:
            raise BadInput(f"{category}: in the domains {name} and {others[0]}; groups must not overlap")
