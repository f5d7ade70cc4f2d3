"""A head that meets another catalogue: what it learned of interests travels, what it knows of single items stays."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from penchant.errors import BadInput
from penchant.types import F32, I64

OF_SINGLE_ITEMS: Final = ("shared.prior.weight", "shared.residual.weight")
"""Tensors with a row for each item of a catalogue."""


def carried(learned: Mapping[str, F32], fresh: Mapping[str, F32], *, old: I64, new: I64) -> dict[str, F32]:
    """The tensors of a model of another catalogue that starts from what a head has learned.

    learned: the head's tensors.  fresh: those of an untrained model of the new catalogue.
    old, new: int64[n], rows of the same items in either catalogue.
    Guarantees: tensors that are of no catalogue are taken as they are. Of those with a row for each item, rows of
    the same items are taken, and all others stay as they are in `fresh`: zero.
    Raises: BadInput where the models differ in what they hold, or in a shape.
    """
    if set(learned) != set(fresh):
        names = ", ".join(sorted(set(learned) ^ set(fresh)))
        raise BadInput(
            f"the head and this run's model differ in {names}; use the settings [model] of that run"
        )
    result = {}
    for name, values in fresh.items():
        shape = learned[name].shape
        if name in OF_SINGLE_ITEMS:
            if shape[1:] != values.shape[1:]:
                raise BadInput(f"{name}: {shape[1:]} numbers an item in the head, {values.shape[1:]} here")
            values = np.array(values)
            values[new] = learned[name][old]
        elif shape != values.shape:
            raise BadInput(f"{name}: of shape {shape} in the head, of {values.shape} in this run's model")
        else:
            values = learned[name]
        result[name] = values
    return result
