"""Opacus with noise from our own source: its own can be seeded."""

import warnings
from typing import Any

import numpy as np
import torch
from opacus import PrivacyEngine
from opacus.optimizers import DPOptimizer

from penchant.privacy.clip import ClippedSum
from penchant.privacy.mechanism import release
from penchant.privacy.noise import NoiseSource
from penchant.types import F64


class NoisyOptimizer(DPOptimizer):
    """Opacus' optimizer with the noise of `penchant.privacy.mechanism`, drawn once a step for all parameters."""

    noise_source: NoiseSource | None = None

    def add_noise(self) -> None:
        summed = torch.cat([parameter.summed_grad.reshape(-1) for parameter in self.params])
        if self.noise_multiplier > 0:
            summed = torch.from_numpy(self._released(summed.numpy().astype(np.float64))).to(summed.dtype)
        sizes = [parameter.numel() for parameter in self.params]
        for parameter, gradient in zip(self.params, summed.split(sizes), strict=True):
            parameter.grad = gradient.view_as(parameter)

    def _released(self, summed: F64) -> F64:
        if self.noise_source is None:
            raise ValueError("noise was asked for, and no source of noise was given")
        total = ClippedSum(summed, self.max_grad_norm)
        return release(total, noise_multiplier=self.noise_multiplier, noise=self.noise_source)


class NoisyPrivacyEngine(PrivacyEngine):
    """A PrivacyEngine whose optimizers draw from `noise_source`."""

    def __init__(self, noise_source: NoiseSource | None) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Secure RNG turned off")  # the noise is not drawn by Opacus
            super().__init__(accountant="prv")
        self._noise_source = noise_source

    def _prepare_optimizer(self, **settings: Any) -> DPOptimizer:
        settings = {k: v for k, v in settings.items() if k not in _ENGINE_ONLY}
        optimizer = NoisyOptimizer(**settings)
        optimizer.noise_source = self._noise_source
        return optimizer


_ENGINE_ONLY = frozenset({"distributed", "clipping", "noise_generator", "grad_sample_mode"})
