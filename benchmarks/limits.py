"""What this machine can do at best: matrix products, memory traffic, noise. One thread, best of several."""

import time
from collections.abc import Callable

import numpy as np
import torch

from penchant.privacy.noise import CryptographicNoise


def measured() -> dict[str, float]:
    """gflops of float32 matrix products; gb_per_s read and written; million noise samples and AES bytes a second."""
    torch.set_num_threads(1)
    side, numbers, samples = 1024, 1 << 25, 1 << 20
    left, right = torch.randn(side, side), torch.randn(side, side)
    out, copied, source = torch.empty(side, side), torch.empty(numbers), torch.ones(numbers)
    noise = CryptographicNoise()
    return {
        "matmul_gflops": 2 * side**3 / _best(lambda: torch.mm(left, right, out=out)) / 1e9,
        "copy_gb_per_s": 8 * numbers / _best(lambda: copied.copy_(source)) / 1e9,
        "noise_million_per_s": samples / _best(lambda: noise.standard_normal(samples)) / 1e6,
        "seeded_noise_million_per_s": samples
        / _best(lambda: np.random.default_rng(0).standard_normal(samples))
        / 1e6,
    }


def _best(run: Callable[[], object], times: int = 7) -> float:
    """Seconds of the fastest run: what the machine can do, whatever else it did."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
