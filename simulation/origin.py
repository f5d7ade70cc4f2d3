"""A finished run that another one starts from, on whatever catalogue."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.numpy import load_file

from penchant.catalogue import Catalogue
from penchant.encoders import Whitening
from penchant.errors import BadInput
from penchant.interest import InterestModel, TensorLayout
from penchant.interest.transfer import carried
from penchant.privacy.charges import Charges
from penchant.privacy.ledger import read_ledger
from penchant.privacy.pricing import cross_checked
from penchant.rundir import RunDirectory, read_json, write_json
from penchant.simulation.settings import RunSettings, validated
from penchant.types import F32, I64, Unit

_SAME: Final = (
    "encoder.model",
    "encoder.pooling",
    "encoder.normalise",
    "encoder.max_length",
    "encoder.whiten_rank",
    "model.width",
    "model.half_lives",
    "model.tied",
    "model.learn_head",
    "model.learn_half_lives",
)
"""Settings without which the head would mean something else."""


@dataclass(frozen=True)
class Origin:
    """head: the tensors that it learned.  basis: of the item vectors that it reads.  items: who each is, to its row."""

    run: RunDirectory
    record: dict[str, Any]
    head: Mapping[str, F32]
    basis: Whitening
    items: Mapping[str, int]

    @classmethod
    def read(cls, settings: RunSettings) -> "Origin | None":
        """The run that these settings start from; None where they start afresh.

        Raises: BadInput where it is no finished run, or was made with another encoder or another shape of model.
        """
        if settings.origin is None:
            return None
        run = RunDirectory.existing(Path(settings.origin))
        if not run.shared_path.is_file():
            raise BadInput(f"{run.root}: the run is not finished, so there is no head to start from")
        record = run.read_settings()
        _check_same(settings, validated(record["settings"], source=str(run.settings_path)), run)
        items = read_json(run.items_path)["items"] if run.items_path.is_file() else []
        numbered = {item: row for row, item in enumerate(items)}
        return cls(run, record, load_file(run.shared_path), Whitening.load(run.basis_path), numbered)

    def start(self, model: InterestModel, catalogue: Catalogue) -> F32:
        """The head that training starts from: float32[n_shared]."""
        layout = TensorLayout.shared(model)
        old, new = self._matches(catalogue)
        return layout.flatten(carried(self.head, layout.unflatten(layout.read(model)), old=old, new=new))

    def lineage(self, catalogue: Catalogue) -> dict[str, Any]:
        """For the record: what the head has learned from before, and what that cost the people it learned from."""
        privacy, dataset = self.record["privacy"], self.record["dataset"]
        return {
            "run": self.run.root.resolve().name,
            "id": self.record["id"],
            "dataset": dataset["name"],
            "people": dataset["n_users"],
            "unit": privacy["unit"],
            "epsilon": self._epsilon(),
            "delta": privacy["delta"] if privacy["unit"] != Unit.NONE else None,
            "items_known": len(self._matches(catalogue)[0]),
            "from": self.record.get("lineage"),
        }

    def _epsilon(self) -> float | None:
        """Spent by the person who paid most; None where nothing was protected."""
        privacy = self.record["privacy"]
        if privacy["unit"] == Unit.NONE:
            return None
        events = Charges(read_ledger(self.run.ledger_path)).spent()
        return cross_checked(events, delta=privacy["delta"]).epsilon

    def _matches(self, catalogue: Catalogue) -> tuple[I64, I64]:
        """Rows of the same items there and here: equal in id and in text, so that two shops' numbers do not meet."""
        rows = [(self.items[who], row) for row, who in enumerate(identities(catalogue)) if who in self.items]
        old, new = np.array(rows, np.int64).reshape(-1, 2).T
        return old, new


def identities(catalogue: Catalogue) -> list[str]:
    """Who each item is, whatever the catalogue: a hash of id and text."""
    pairs = zip(catalogue.item_ids, catalogue.texts, strict=True)
    return [hashlib.sha256(f"{item}\n{text}".encode()).hexdigest()[:24] for item, text in pairs]


def write_items(run: RunDirectory, catalogue: Catalogue) -> None:
    """So that a run that starts from this one finds the items that it knows."""
    write_json(run.items_path, {"items": identities(catalogue)})


def _check_same(settings: RunSettings, before: RunSettings, run: RunDirectory) -> None:
    for key in _SAME:
        group, name = key.split(".")
        here, there = getattr(getattr(settings, group), name), getattr(getattr(before, group), name)
        if here != there:
            raise BadInput(
                f"{key} = {here!r}: {run.root} was trained with {there!r}, and its head means nothing otherwise;"
                " leave the setting out, or say the same"
            )
    if bool(settings.model.residual_scale) != bool(before.model.residual_scale):
        raise BadInput(f"model.residual_scale: {run.root} has {before.model.residual_scale:g}; say the same")
