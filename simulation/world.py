"""What a simulation knows that no server would: everyone's behaviour, the catalogue, the split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from penchant.behaviours import Split, leave_one_out
from penchant.cache import cache_folder
from penchant.datasets import Dataset, load
from penchant.encoders import ItemVectors, item_vectors
from penchant.errors import BadInput
from penchant.evaluation import Examination, Part
from penchant.simulation.settings import RunSettings
from penchant.types import I32

Progress = Callable[[int], None]


@dataclass(frozen=True)
class World:
    """A data set, its item vectors and its split. `histories[person]`: int32[n_events], training events in order."""

    dataset: Dataset
    items: ItemVectors
    split: Split
    histories: tuple[I32, ...]

    @property
    def n_people(self) -> int:
        return len(self.histories)

    def examination(self, part: Part, *, seed: int) -> Examination:
        return Examination(self.split, len(self.dataset.catalogue), part, seed=seed)


def build_world(
    settings: RunSettings, *, cache: Path | None = None, encoding: Progress = lambda n: None
) -> World:
    """Load, encode, split. encoding: told of items encoded.

    Raises: BadInput for unusable data, EnvironmentMissing for data or a model that is not here.
    """
    dataset = load(settings.data, cache=cache)
    split = leave_one_out(dataset.behaviours)
    if split.train.n_events == 0:
        raise BadInput(
            f"{settings.data}: nothing to train on after the split; people need at least two events"
        )
    vectors = item_vectors(
        dataset.catalogue, settings.encoder, cache=(cache or cache_folder()) / "vectors", progress=encoding
    )
    histories = tuple(split.train.of(person).items for person in range(split.train.n_users))
    return World(dataset, vectors, split, histories)
