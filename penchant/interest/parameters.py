"""The one allow-list: which tensors may travel, and how they become flat vectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from penchant.errors import BadInput
from penchant.interest.model import PERSONAL, SHARED, InterestModel
from penchant.types import F32


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """Names and shapes of a set of float32 tensors, in one fixed order, and so the meaning of a flat vector."""

    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def shared(cls, model: InterestModel) -> Self:
        """What may travel: trained parameters under `shared.`, nothing else."""
        return cls._under(model, SHARED)

    @classmethod
    def personal(cls, model: InterestModel) -> Self:
        """What stays: parameters under `personal.`."""
        return cls._under(model, PERSONAL)

    @classmethod
    def _under(cls, model: InterestModel, prefix: str) -> Self:
        named = ((n, p) for n, p in model.named_parameters() if n.startswith(prefix) and p.requires_grad)
        return cls(tuple((name, tuple(parameter.shape)) for name, parameter in named))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.shapes)

    @property
    def size(self) -> int:
        """Numbers in the flat vector."""
        return sum(int(np.prod(shape)) for _, shape in self.shapes)

    def flatten(self, tensors: Mapping[str, F32]) -> F32:
        """float32[size]. Raises: BadInput on a missing, extra or misshapen tensor."""
        if set(tensors) != set(self.names):
            raise BadInput(f"tensors differ from the model's: {sorted(set(tensors) ^ set(self.names))}")
        for name, shape in self.shapes:
            if tensors[name].shape != shape:
                raise BadInput(f"{name} has shape {tensors[name].shape}, expected {shape}")
        parts = [np.asarray(tensors[name], np.float32).ravel() for name in self.names]
        return np.concatenate([np.empty(0, np.float32), *parts])

    def unflatten(self, flat: F32) -> dict[str, F32]:
        """The inverse of `flatten`; the tensors are views."""
        sizes = [int(np.prod(shape)) for _, shape in self.shapes]
        parts = np.split(flat, np.cumsum(sizes))[:-1]
        return {name: part.reshape(shape) for (name, shape), part in zip(self.shapes, parts, strict=True)}

    def unstack(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """Tensors [n, ...] of n flat vectors, float32[n, size]."""
        parts = flat.split([int(np.prod(shape)) for _, shape in self.shapes], dim=1)
        return {
            name: part.reshape(-1, *shape) for (name, shape), part in zip(self.shapes, parts, strict=True)
        }

    def read(self, model: InterestModel) -> F32:
        """A copy of the model's tensors of this layout, flat."""
        parameters = dict(model.named_parameters())
        return self.flatten({name: parameters[name].detach().numpy() for name in self.names})

    def write(self, model: InterestModel, flat: F32) -> None:
        """Set the model's tensors of this layout from a flat vector."""
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, values in self.unflatten(flat).items():
                parameters[name].copy_(torch.from_numpy(np.ascontiguousarray(values)))

    def select(self, model: InterestModel) -> list[torch.nn.Parameter]:
        """The parameters themselves, in order."""
        parameters = dict(model.named_parameters())
        return [parameters[name] for name in self.names]
