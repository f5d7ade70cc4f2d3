"""What a simulation knows that no server would: everyone's behaviour, the catalogue, the split."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from penchant.behaviours import Split, leave_one_out
from penchant.cache import cache_folder
from penchant.cold import ColdStart
from penchant.datasets import Dataset, load
from penchant.encoders import ItemVectors, Whitening, item_vectors
from penchant.errors import BadInput
from penchant.evaluation import Examination, Part
from penchant.simulation.settings import RunSettings
from penchant.types import I32, I64, Bool

Progress = Callable[[int], None]


@dataclass(frozen=True)
class World:
    """A data set, its item vectors and its split. `histories[person]`: int32[n_events], training events in order.

    cold: people and items that stayed out of all of these.  target: bool[n_items], the domain that is asked for;
    None: all.
    """

    dataset: Dataset
    items: ItemVectors
    split: Split
    histories: tuple[I32, ...]
    cold: ColdStart | None = None
    target: Bool | None = None

    def asked_for(self, domain: str) -> "World":
        """The same world, where items of one domain are asked for. Raises: BadInput for an unknown domain."""
        return replace(self, target=self.dataset.catalogue.within(domain))

    @property
    def closed(self) -> I64:
        """Items that are no candidates for anybody."""
        return np.empty(0, np.int64) if self.target is None else np.flatnonzero(~self.target)

    @property
    def offered(self) -> Tensor | None:
        """int64[n], the items that there are while training; None: the whole catalogue."""
        if self.cold is None or not self.cold.cold_items.any():
            return None
        return torch.from_numpy(np.flatnonzero(~self.cold.cold_items))

    @property
    def n_people(self) -> int:
        return len(self.histories)

    def examination(self, part: Part, *, seed: int) -> Examination:
        return Examination(self.split, len(self.dataset.catalogue), part, seed=seed, among=self.target)


def build_world(
    settings: RunSettings,
    *,
    cache: Path | None = None,
    encoding: Progress = lambda n: None,
    basis: Whitening | None = None,
) -> World:
    """Load, encode, split. encoding: told of items encoded.  basis: of item vectors; None fits one to the catalogue.

    Raises: BadInput for unusable data, EnvironmentMissing for data or a model that is not here.
    """
    core = {"min_user_events": settings.min_user_events, "min_item_events": settings.min_item_events}
    dataset, cold = _parted(load(settings.data, cache=cache, **core), settings)
    domain = settings.target_domain
    target = None if domain is None else dataset.catalogue.within(domain)
    split = leave_one_out(dataset.behaviours, among=target)
    if split.train.n_events == 0:
        raise BadInput(
            f"{settings.data}: nothing to train on after the split; people need at least two events"
        )
    vectors = item_vectors(
        dataset.catalogue,
        settings.encoder,
        cache=(cache or cache_folder()) / "vectors",
        basis=basis,
        progress=encoding,
    )
    histories = tuple(split.train.of(person).items for person in range(split.train.n_users))
    return World(dataset, vectors, split, histories, cold, target)


def _parted(dataset: Dataset, settings: RunSettings) -> tuple[Dataset, ColdStart | None]:
    """The people and events that a run may know, and those that stay out."""
    share = settings.hold_out
    if not (share.people or share.items):
        return dataset, None
    cold = ColdStart.part(
        dataset.behaviours,
        n_items=len(dataset.catalogue),
        people=share.people,
        items=share.items,
        seed=settings.seed,
    )
    stay = set(cold.warm.user_ids)
    kept = [person for person, name in enumerate(dataset.behaviours.user_ids) if name in stay]
    columns = {name: tuple(column[person] for person in kept) for name, column in dataset.people.items()}
    return replace(dataset, behaviours=cold.warm, people=columns), cold
