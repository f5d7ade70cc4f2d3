"""A share of a round's people, trained as stacked tensors: where the arithmetic is, in whatever process it runs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from penchant.client.app import ClientPlan
from penchant.client.chunk_training import disjoint_chunks
from penchant.interest import Kept
from penchant.rng import stream
from penchant.simulation.closed_form import SampleGradients, sample_gradients
from penchant.simulation.fold import FoldedSum
from penchant.simulation.local_steps import LocalSteps, local_steps
from penchant.simulation.projection import ProjectedCatalogue, Tensors
from penchant.simulation.stacked_adapters import train_stacked_adapters
from penchant.types import F32, F64, I32, NO_ITEM, Unit

_NUMBERS_AT_ONCE = 1 << 20
"""Numbers in a stack's largest tensors: they fit the processor's cache and are still worth a call."""

_NORM_FLOOR = 1e-6
"""Opacus divides by the norm plus this; it keeps a zero gradient zero."""


@dataclass(frozen=True, slots=True)
class Job:
    """People to train on a head in a round.

    with_head: sum their updates of the head.  adapters: float32[n_people, n_personal], trained by `adapter_steps`
    afterwards; None where that is 0.  clip_bound: of an update, where it follows them; None: the one agreed on.
    """

    round: int
    head: F32
    people: tuple[int, ...]
    with_head: bool
    adapters: F32 | None
    adapter_steps: int
    clip_bound: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job gave: the sum of the updates, float64[n_shared], without noise; and the adapters, as they came.

    within: how many of the updates lay within the clip bound before the clip, under `user`.
    """

    people: tuple[int, ...]
    total: F64
    adapters: F32 | None
    within: int = 0


class Crew(Protocol):
    """Who trains shards: this process, or workers elsewhere."""

    def job_size(self, people: int) -> int:
        """How many of so many people belong into one job."""
        ...

    def train(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Outcomes in the order of the jobs, so that their sum does not depend on who was faster."""
        ...


class ShardTrainer:
    """A crew of one."""

    def __init__(self, plan: ClientPlan, histories: Sequence[I32], *, device: str = "cpu") -> None:
        """histories: int32[n_events] each, in order of time.  device: where tensors live."""
        self._plan = plan
        self._histories = histories
        self._device = device

    def job_size(self, people: int) -> int:
        """Few enough for a sum in float32, many enough to multiply the item vectors seldom."""
        return min(people, 4096)

    def train(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        yield from map(self.answer, jobs)

    def answer(self, job: Job) -> Outcome:
        catalogue = self._project(job.head, job.round)
        total, within = np.zeros(self._plan.shared.size), 0
        if job.with_head:
            total, within = self._sum_of_updates(catalogue, job)
        adapters = job.adapters
        if adapters is not None and job.adapter_steps:
            adapters = self._trained_adapters(catalogue, job.people, adapters, job.adapter_steps)
        return Outcome(job.people, total, adapters, within)

    def _project(self, head: F32, round_: int) -> ProjectedCatalogue:
        plan = self._plan
        tensors = {n: torch.from_numpy(np.array(v)) for n, v in plan.shared.unflatten(head).items()}
        return ProjectedCatalogue.of(plan.model, tensors, plan.negatives(round_), device=self._device)

    def _sum_of_updates(self, catalogue: ProjectedCatalogue, job: Job) -> tuple[F64, int]:
        plan, people, within = self._plan, job.people, 0
        bound = job.clip_bound or plan.guarantee.clip_bound
        if plan.guarantee.unit is Unit.EVENT:
            return self._sum_over_chunks(catalogue, people), 0
        folded, rate = FoldedSum(catalogue), plan.training.local_learning_rate
        for block in self._blocks(catalogue, people):
            events, counted = self._padded([people[index] for index in block])
            kept = self._kept([people[index] for index in block], job.round, events.shape[1] - 1)
            if plan.training.local_steps > 1:
                steps = local_steps(plan, catalogue, events, counted, kept)
                shares, inside = self._shares(steps, bound)
                folded.add_steps(steps, shares)
            else:
                gradients = sample_gradients(catalogue, events, counted, kept)
                shares, inside = self._shares(gradients, bound / rate)
                folded.add(gradients, rate * shares)
            within += inside
        return -self._flat(folded.tensors()).numpy(), within

    def _sum_over_chunks(self, catalogue: ProjectedCatalogue, people: Sequence[int]) -> F64:
        length, bound = self._plan.training.chunk_length, self._plan.guarantee.clip_bound
        chunks = torch.from_numpy(
            np.concatenate([disjoint_chunks(self._histories[p], length) for p in people])
        )
        folded = FoldedSum(catalogue)
        for stack in chunks.split(max(1, self._at_once(catalogue) // length)):
            whole = (stack[:, :1] != NO_ITEM).expand(-1, length - 1).to(self._device)
            gradients = sample_gradients(catalogue, stack.clamp(min=0).to(self._device), whole)
            folded.add(gradients, (bound / (gradients.norms() + _NORM_FLOOR)).clamp(max=1))
        return -self._flat(folded.tensors()).numpy()

    def _shares(self, updates: SampleGradients | LocalSteps, bound: float) -> tuple[Tensor, int]:
        """How much of each person's update stays in the clip ball, float32[n]; and how many lie in it whole."""
        if self._plan.guarantee.unit is Unit.NONE:
            return torch.ones(len(updates.events), device=self._device), 0
        norms = updates.norms()
        return (bound / norms).clamp(max=1).nan_to_num(1.0), int((norms <= bound).sum())

    def _trained_adapters(
        self, catalogue: ProjectedCatalogue, people: Sequence[int], adapters: F32, steps: int
    ) -> F32:
        trained = np.empty_like(adapters)
        for block in self._blocks(catalogue, people):
            events, counted = self._padded([people[index] for index in block])
            trained[block] = train_stacked_adapters(
                catalogue, adapters[block], events, counted, plan=self._plan, steps=steps
            )
        return trained

    def _kept(self, people: Sequence[int], round_: int, length: int) -> Kept | None:
        """What each person's own chance leaves out."""
        plan = self._plan
        if not (plan.training.event_dropout or plan.training.state_dropout):
            return None
        own = [plan.kept(len(self._histories[p]), chance_of(plan.seed, p, round_)) for p in people]
        kept = Kept.stacked(own, length)
        return None if kept is None else Kept(*(factors.to(self._device) for factors in kept))

    @staticmethod
    def _at_once(catalogue: ProjectedCatalogue) -> int:
        """Positions in one stack."""
        return max(64, _NUMBERS_AT_ONCE // (len(catalogue.negatives) + 2 * catalogue.wishes.shape[1]))

    def _flat(self, tensors: Tensors) -> Tensor:
        return torch.cat([tensors[name].flatten() for name in self._plan.shared.names])

    def _blocks(self, catalogue: ProjectedCatalogue, people: Sequence[int]) -> Iterator[list[int]]:
        """Places in `people`, those of like lengths together, so that little is padding."""
        longest, at_once = self._plan.training.max_history, self._at_once(catalogue)
        lengths = np.minimum([len(self._histories[person]) for person in people], longest)
        block: list[int] = []
        for index in np.argsort(lengths, kind="stable").tolist():
            if block and lengths[index] * (len(block) + 1) > at_once:
                yield block
                block = []
            block.append(index)
        if block:
            yield block

    def _padded(self, people: Sequence[int]) -> tuple[Tensor, Tensor]:
        """int64[n, length] events and bool[n, length - 1], which of them count as targets."""
        latest = [self._histories[person][-self._plan.training.max_history :] for person in people]
        lengths = np.fromiter(map(len, latest), np.int64, len(latest))
        longest = max(2, int(lengths.max()))
        events = np.zeros((len(people), longest), np.int64)
        events[np.arange(longest) < lengths[:, None]] = np.concatenate(latest)
        counted = np.arange(longest - 1) < lengths[:, None] - 1
        return torch.from_numpy(events).to(self._device), torch.from_numpy(counted).to(self._device)


def chance_of(seed: int, person: int, round_: int) -> np.random.Generator:
    """What decides which events a simulated person's training leaves out: reproducible, alike on each engine."""
    return stream(seed, "dropout", person, round_)
