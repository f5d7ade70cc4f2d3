"""Reproducible randomness, one named stream per use.

For everything that protects nobody: initial weights, negatives, simulated cohorts. Noise that protects people comes
from `penchant.privacy.noise`, never from here.
"""

import hashlib

import numpy as np
import torch


def seed_for(seed: int, *names: str | int) -> int:
    """A 63-bit seed that depends on `seed` and every name, and on nothing else.

    The same on each machine and Python version. Streams with different names are independent.
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for one named use."""
    return np.random.default_rng(seed_for(seed, *names))


def torch_stream(seed: int, *names: str | int) -> torch.Generator:
    """A CPU torch generator for one named use."""
    return torch.Generator().manual_seed(seed_for(seed, *names))
