"""Gaussian noise: cryptographic where it protects people, reproducible where it protects nobody."""

import os
from math import pi
from typing import ClassVar, Final, Protocol

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from penchant.rng import stream
from penchant.types import F64

_MAX_INT64: Final = 2**63 - 1
_BLOCK: Final = 1 << 14
"""Pairs of samples drawn at a time: small enough to stay in the processor's cache."""


class NoiseSource(Protocol):
    """Draws Gaussian noise. `protects` says whether a reader of the release is kept from knowing it."""

    @property
    def protects(self) -> bool: ...

    def standard_normal(self, size: int) -> F64:
        """Independent samples of N(0, 1), float64[size]."""
        ...


class CryptographicNoise:
    """Noise that nobody can predict or draw again: the key comes from the operating system and is never
    stored.

    The bits are the AES-256-CTR key stream under a key from `os.urandom`; Box-Muller turns two 64-bit words
    into two samples. Each has 127 random bits behind it, so the tail is filled without gaps to 9 standard
    deviations, where it is cut (missing mass below 2^-62 a sample). Rounding patterns of float64 are not
    hidden here: release through `penchant.privacy.mechanism`, which puts sum and noise on one grid. Timing is
    not constant (see docs/privacy.md).
    Sources: Box and Muller 1958; Mironov 2012, "On significance of the least significant bits".
    """

    protects: ClassVar[bool] = True

    def __init__(self) -> None:
        cipher = Cipher(algorithms.AES256(os.urandom(32)), modes.CTR(os.urandom(16)))
        self._keystream = cipher.encryptor()

    def standard_normal(self, size: int) -> F64:
        """Independent samples of N(0, 1), float64[size]."""
        samples = np.empty(size + size % 2)
        for start in range(0, size, 2 * _BLOCK):
            self._fill(samples[start : start + 2 * _BLOCK])
        return samples[:size]

    def _fill(self, out: F64) -> None:
        half = out.size // 2
        words = np.frombuffer(self._keystream.update(bytes(8 * out.size)), dtype="<i8")
        uniform = torch.from_numpy((words[:half] & _MAX_INT64).astype(np.float64)).add_(0.5).mul_(2.0**-63)
        angle = torch.from_numpy(words[half:].astype(np.float64)).mul_(pi * 2.0**-63)
        radius = uniform.log_().mul_(-2).sqrt_()
        filled = torch.from_numpy(out)
        torch.mul(radius, angle.cos(), out=filled[:half])
        torch.mul(radius, angle.sin_(), out=filled[half:])


class ReproducibleNoise:
    """The same noise for the same seed and names: a simulation can be repeated, and it protects nobody.

    Name the round, so that no two rounds share their noise.
    """

    protects: ClassVar[bool] = False

    def __init__(self, seed: int, *names: str | int) -> None:
        self._generator = stream(seed, "noise", *names)

    def standard_normal(self, size: int) -> F64:
        """Samples of N(0, 1), float64[size], a function of the seed and the names."""
        return self._generator.standard_normal(size)
