"""What a server tells everyone who may join: a folder of public files, alike for each client.

It holds all that a device needs to take part and to recommend without a network: terms, catalogue, item vectors, and
the authority that signed the server's certificate. Nothing that a device runs is in it.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load, save

from penchant.catalogue import Catalogue
from penchant.config import ModelSettings, Settings, TrainingSettings
from penchant.errors import BadInput
from penchant.privacy.adaptive_clip import QuantileClip
from penchant.rundir import write_atomically
from penchant.strategies.counting import CountingTerms, What, asked, bound_of
from penchant.strategies.guarantee import Guarantee
from penchant.types import F32, NoiseAt, Unit

_TERMS: Final = "terms.json"
_AUTHORITY: Final = "ca.pem"
_CATALOGUE: Final = "catalogue.json"
_ITEMS: Final = "items.safetensors"
FILES: Final = (_TERMS, _AUTHORITY, _CATALOGUE, _ITEMS)


class Terms(Settings):
    """What every client of a federation agrees on beforehand, every default written down."""

    name: str = Field(min_length=1)
    """What the federation calls itself."""

    address: str
    """Host and port of the server."""

    seed: int
    rounds: int
    population: int
    """How many people the federation is for: the denominator of every round's mean."""

    model: ModelSettings
    training: TrainingSettings
    unit: Unit
    noise_at: NoiseAt
    clip_bound: float
    noise_multiplier: float
    following: QuantileClip | None = None
    """How the clip bound follows the updates, from `clip_bound` on; null keeps it fixed."""

    counting: CountingTerms | None = None
    """What is counted before the rounds; null: nothing."""

    epsilon_limit: float | None
    """The most that the whole run may spend of one client's budget."""

    delta: float

    @property
    def guarantee(self) -> Guarantee:
        return Guarantee(
            self.unit, self.noise_at, self.clip_bound, self.noise_multiplier, following=self.following
        )

    @model_validator(mode="after")
    def _counts_are_bounded_as_stated(self) -> Self:
        """A device bounds what it adds by its own arithmetic: terms that claim less would promise too much."""
        counting = self.counting
        if counting is not None and set(counting.guarantees) != asked(counting.settings).keys():
            raise ValueError(f"counting {', '.join(counting.guarantees)} is not what its settings ask for")
        for what in () if counting is None else counting.guarantees:
            if counting is not None and not self._keeps(counting, what):
                raise ValueError(f"counting.{what} promises what a device does not do")
        return self

    def _keeps(self, counting: CountingTerms, what: What) -> bool:
        told, bound = counting.guarantee(what), bound_of(what, counting.settings, self.unit)
        return (told.unit, told.noise_at, told.clip_bound) == (self.unit, NoiseAt.SERVER, bound)


class _Columns(Settings):
    """A catalogue as it is written."""

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    domains: tuple[str, ...] = ()

    def catalogue(self) -> Catalogue:
        return Catalogue(self.item_ids, self.titles, self.texts, self.categories, self.domains)


@dataclass(frozen=True, eq=False)
class Invitation:
    """authority: the CA certificate, PEM.  vectors: float32[n_items, rank], in catalogue order, frozen."""

    terms: Terms
    authority: bytes
    catalogue: Catalogue
    vectors: F32

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all of it: what a person compares with what the server's owner says."""
        total = hashlib.sha256()
        for content in self._files().values():
            total.update(hashlib.sha256(content).digest())
        return total.hexdigest()

    def save(self, folder: Path) -> None:
        for name, content in self._files().items():
            write_atomically(folder / name, content)
            (folder / name).chmod(0o644)

    def _files(self) -> dict[str, bytes]:
        own = self.catalogue
        columns = _Columns(
            item_ids=own.item_ids,
            titles=own.titles,
            texts=own.texts,
            categories=own.categories,
            domains=own.domains,
        )
        return {
            _TERMS: _json(self.terms.model_dump(mode="json")),
            _AUTHORITY: self.authority,
            _CATALOGUE: _json(columns.model_dump(mode="json")),
            _ITEMS: save({"vectors": self.vectors}),
        }


def read_invitation(folder: Path) -> Invitation:
    """Raises: BadInput naming the file that is missing or is not what it should be."""
    try:
        terms, authority, columns, items = ((folder / name).read_bytes() for name in FILES)
        catalogue = _Columns.model_validate_json(columns).catalogue()
        vectors = load(items)["vectors"]
        invitation = Invitation(Terms.model_validate_json(terms), authority, catalogue, vectors)
    except FileNotFoundError as error:
        raise BadInput(f"{error.filename}: no such file; an invitation is a folder of {FILES}") from error
    except (ValidationError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise BadInput(f"{folder}: not an invitation of this version ({error})") from error
    _check_vectors(folder, invitation)
    return invitation


def _check_vectors(folder: Path, invitation: Invitation) -> None:
    vectors, n_items = invitation.vectors, len(invitation.catalogue)
    if vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != n_items:
        raise BadInput(f"{folder / _ITEMS}: {vectors.dtype} {vectors.shape}, expected float32 ({n_items}, …)")
    counting = invitation.terms.counting
    if counting is not None and counting.n_items != n_items:
        raise BadInput(f"{folder / _TERMS}: counts {counting.n_items} items, the catalogue has {n_items}")
    if not np.isfinite(vectors).all():
        raise BadInput(f"{folder / _ITEMS}: holds NaN or Inf")


def _json(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"
