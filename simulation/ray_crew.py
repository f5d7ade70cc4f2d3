"""Shards of a cohort on Ray workers: more processes on this machine, or on a cluster's."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from penchant.client.app import ClientPlan
from penchant.errors import EnvironmentMissing
from penchant.simulation.shard import Job, Outcome, ShardTrainer
from penchant.types import I32

_RETRIES = 3
"""Times that a shard is given to another worker after one was lost."""

_TRAINERS: dict[str, ShardTrainer] = {}
"""In a worker: the trainer of each run, built on the first shard."""


class RayCrew:
    """Workers without state: what a shard needs travels with it, so that a lost worker's shard is simply given again.

    Charges and noise stay with the engine that asked, so that no retry can charge or draw twice.
    """

    def __init__(
        self, plan: ClientPlan, histories: Sequence[I32], *, workers: int, device: str = "cpu"
    ) -> None:
        """workers: processes to use. The cluster is the one that RAY_ADDRESS names, else one is started here.

        Raises: EnvironmentMissing where Ray is not installed.
        """
        self._ray = _ray()
        self._workers = workers
        if not self._ray.is_initialized():
            local = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers, "include_dashboard": False}
            self._ray.init(log_to_driver=False, configure_logging=False, **local)
        self._run = self._ray.put((plan, tuple(histories), device))
        resources = {"num_cpus": 1, "num_gpus": 1 if device == "cuda" else 0}
        self._task = self._ray.remote(max_retries=_RETRIES, **resources)(train_shard)

    def job_size(self, people: int) -> int:
        return min(4096, -(-people // self._workers))

    def train(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """No more jobs are under way than there are workers and as many again, so that memory stays flat."""
        pending: deque[Any] = deque()
        for job in jobs:
            pending.append(self._task.remote([self._run], job))
            if len(pending) >= 2 * self._workers:
                yield self._ray.get(pending.popleft())
        while pending:
            yield self._ray.get(pending.popleft())


def train_shard(run: list[Any], job: Job) -> Outcome:
    """In a worker. run: the one reference to a plan, its histories and the device."""
    name = run[0].hex()
    if name not in _TRAINERS:
        torch.set_num_threads(1)
        plan, histories, device = _ray().get(run[0])
        _TRAINERS[name] = ShardTrainer(plan, histories, device=device)
    return _TRAINERS[name].answer(job)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise EnvironmentMissing("engine ray: Ray is not installed; pip install 'penchant[ray]'") from error
    return ray
