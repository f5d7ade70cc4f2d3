"""What this machine can do at best (matrix products, memory traffic, noise), and how far each path is from it.

One thread, best of several.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch

from benchmarks.demand import Demand
from penchant.privacy.noise import CryptographicNoise

_STACK = 1 << 19
"""Numbers."""


@dataclass(frozen=True)
class Bound:
    """One path of the engine beside the machine: milliseconds a client that each limit alone would allow."""

    work: str
    ms_per_client: float
    arithmetic_ms: float
    memory_ms: float
    noise_ms: float

    @classmethod
    def of(cls, work: str, ms: float, asked: Demand, limits: Mapping[str, float]) -> "Bound":
        return cls(
            work,
            ms,
            asked.megaflops / limits["matmul_gflops"],
            asked.megabytes / limits["cached_copy_gb_per_s"],
            asked.noise / limits["noise_million_per_s"] / 1000,
        )

    @property
    def binds(self) -> str:
        """The limit that allows the least."""
        return max(self._each, key=self._each.__getitem__)

    @property
    def share(self) -> float:
        """Of the speed that the limit which binds would allow."""
        return max(self._each.values()) / self.ms_per_client

    @property
    def matmul_share(self) -> float:
        """Of the measured matrix-product rate."""
        return self.arithmetic_ms / self.ms_per_client

    @property
    def _each(self) -> dict[str, float]:
        return {
            "arithmetic": self.arithmetic_ms,
            "memory traffic": self.memory_ms,
            "noise": self.noise_ms,
        }

    def record(self) -> dict[str, object]:
        shares = {"binds": self.binds, "share": self.share, "matmul_share": self.matmul_share}
        return {**asdict(self), **shares}


def measured() -> dict[str, float]:
    """Billions of operations a second in float32 matrix products; GB read and written a second, of more than a cache
    holds and of as much as a stack of clients; million noise samples a second, cryptographic and seeded.
    """
    torch.set_num_threads(1)
    side, numbers, samples = 1024, 1 << 25, 1 << 20
    left, right = torch.randn(side, side), torch.randn(side, side)
    out, copied, source = torch.empty(side, side), torch.empty(numbers), torch.ones(numbers)
    stack, copied_stack = torch.ones(_STACK), torch.empty(_STACK)
    noise = CryptographicNoise()
    return {
        "matmul_gflops": 2 * side**3 / _best(lambda: torch.mm(left, right, out=out)) / 1e9,
        "copy_gb_per_s": 8 * numbers / _best(lambda: copied.copy_(source)) / 1e9,
        "cached_copy_gb_per_s": 8 * _STACK / _best(lambda: copied_stack.copy_(stack), 50) / 1e9,
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
