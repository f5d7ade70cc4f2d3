"""The cohort engine: a round's clients trained together as stacked tensors, computing what each would on a device."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from torch import Tensor

from penchant.client.app import ClientPlan
from penchant.client.chunk_training import disjoint_chunks
from penchant.interest import Kept
from penchant.privacy.clip import ClippedSum
from penchant.privacy.mechanism import release
from penchant.privacy.noise import NoiseSource
from penchant.rng import stream
from penchant.simulation.closed_form import ProjectedCatalogue, SampleGradients, Tensors, sample_gradients
from penchant.simulation.local_steps import updates_of_many_steps
from penchant.simulation.stacked_adapters import train_stacked_adapters
from penchant.simulation.stores import StackedStores
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F32, F64, I32, NO_ITEM, Unit

_SCORES_AT_ONCE = 1 << 20
"""Scores in one stack: small enough for the processor's cache, large enough for its matrix units."""

_NORM_FLOOR = 1e-6
"""Opacus divides by the norm plus this; it keeps a zero gradient zero."""


class CohortEngine:
    """Answers one request for many people at once."""

    def __init__(
        self,
        plan: ClientPlan,
        histories: Sequence[I32],
        stores: StackedStores,
        noise: Callable[[int], NoiseSource],
    ) -> None:
        """histories: int32[n_events] each, in order of time.  noise: round -> the clients' own noise."""
        self._plan = plan
        self._histories = histories
        self._stores = stores
        self._noise = noise

    def answer(self, request: TrainRequest) -> SummedUpdate:
        """Train `request.people` on the head; keep their adapters; return the sum of what they would have sent."""
        plan = self._plan
        catalogue = self._project(request.head, request.round)
        total = self._sum_of_updates(catalogue, request.people, request.round)
        if plan.guarantee.client_noise:
            total = self._noised(total, len(request.people), request.round)
            for person in request.people:
                self._stores.charge(person, plan.guarantee.noise_multiplier)
        self._train_adapters(catalogue, request.people, steps=plan.training.adapter_steps)
        return SummedUpdate(request.round, total.astype(np.float32), people=len(request.people))

    def finish(self, head: F32, *, round_: int) -> None:
        """What every client does with the last head: train the adapter on."""
        catalogue = self._project(head, round_)
        people = range(len(self._histories))
        self._train_adapters(catalogue, people, steps=self._plan.training.final_adapter_steps)

    def _project(self, head: F32, round_: int) -> ProjectedCatalogue:
        plan = self._plan
        tensors = {n: torch.from_numpy(np.array(v)) for n, v in plan.shared.unflatten(head).items()}
        return ProjectedCatalogue.of(plan.model, tensors, plan.negatives(round_))

    def _sum_of_updates(self, catalogue: ProjectedCatalogue, people: Sequence[int], round_: int) -> F64:
        guarantee, training = self._plan.guarantee, self._plan.training
        total = torch.zeros(self._plan.shared.size, dtype=torch.float64)
        if guarantee.unit is Unit.EVENT:
            chunks = [disjoint_chunks(self._histories[p], training.chunk_length) for p in people]
            for events, counted in _chunk_stacks(
                torch.from_numpy(np.concatenate(chunks)), self._at_once(catalogue)
            ):
                gradients = sample_gradients(catalogue, events, counted)
                scale = (guarantee.clip_bound / (gradients.norms() + _NORM_FLOOR)).clamp(max=1)
                total -= self._flat(gradients.weighted_sum(scale))
            return total.numpy()
        for block in self._blocks(people, self._at_once(catalogue)):
            events, counted = self._padded(block)
            kept = self._kept(block, round_, events.shape[1] - 1)
            if training.local_steps > 1:
                total += updates_of_many_steps(self._plan, catalogue, events, counted, kept)
            else:
                gradients = sample_gradients(catalogue, events, counted, kept)
                total -= self._flat(gradients.weighted_sum(self._step_sizes(gradients)))
        return total.numpy()

    def _step_sizes(self, gradients: SampleGradients) -> Tensor:
        """The learning rate, less where the whole update would leave the clip ball: float32[n]."""
        guarantee, rate = self._plan.guarantee, self._plan.training.local_learning_rate
        if guarantee.unit is Unit.NONE:
            return torch.full((len(gradients.targets),), rate)
        return rate * (guarantee.clip_bound / (rate * gradients.norms())).clamp(max=1).nan_to_num(1.0)

    def _noised(self, total: F64, people: int, round_: int) -> F64:
        """The sum of what `people` clients sent, each with its own noise: Gaussians add up to one Gaussian."""
        guarantee = self._plan.guarantee
        summed = ClippedSum(total, guarantee.clip_bound)
        return release(
            summed, noise_multiplier=guarantee.noise_multiplier * people**0.5, noise=self._noise(round_)
        )

    def _train_adapters(self, catalogue: ProjectedCatalogue, people: Sequence[int], *, steps: int) -> None:
        for block in self._blocks(people, self._at_once(catalogue)) if steps else ():
            events, counted = self._padded(block)
            self._stores.adapters[block] = train_stacked_adapters(
                catalogue, self._stores.adapters[block], events, counted, plan=self._plan, steps=steps
            )

    def _kept(self, people: Sequence[int], round_: int, length: int) -> Kept | None:
        """What each person's own chance leaves out."""
        plan = self._plan
        own = [
            plan.kept(len(self._histories[person]), chance_of(plan.seed, person, round_)) for person in people
        ]
        return Kept.stacked(own, length)

    @staticmethod
    def _at_once(catalogue: ProjectedCatalogue) -> int:
        """Positions in one stack."""
        return max(64, _SCORES_AT_ONCE // len(catalogue.negatives))

    def _flat(self, tensors: Tensors) -> Tensor:
        return torch.cat([tensors[name].flatten() for name in self._plan.shared.names]).double()

    def _blocks(self, people: Sequence[int], at_once: int) -> Iterator[list[int]]:
        """People of like lengths together, so that little is padding."""
        longest = self._plan.training.max_history
        lengths = {person: min(len(self._histories[person]), longest) for person in people}
        block: list[int] = []
        for person in sorted(lengths, key=lambda person: (lengths[person], person)):
            if block and lengths[person] * (len(block) + 1) > at_once:
                yield block
                block = []
            block.append(person)
        if block:
            yield block

    def _padded(self, people: Sequence[int]) -> tuple[Tensor, Tensor]:
        """int64[n, length] events and bool[n, length - 1], which of them count as targets."""
        latest = [self._histories[person][-self._plan.training.max_history :] for person in people]
        lengths = torch.tensor([len(history) for history in latest])
        events = np.zeros((len(people), max(2, int(lengths.max()))), np.int64)
        for row, history in zip(events, latest, strict=True):
            row[: len(history)] = history
        return torch.from_numpy(events), torch.arange(events.shape[1] - 1) < lengths[:, None] - 1


def chance_of(seed: int, person: int, round_: int) -> np.random.Generator:
    """What decides which events a simulated person's training leaves out: reproducible, alike on each engine."""
    return stream(seed, "dropout", person, round_)


def cohort_app(plan: ClientPlan, engine: CohortEngine) -> ClientApp:
    """A ClientApp that hosts many people: one message asks for all of a node's people."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        del context
        request = read_request(plan.shared, message)
        return Message(update_content(plan.shared, engine.answer(request)), reply_to=message)

    return app


def _chunk_stacks(chunks: Tensor, at_once: int) -> Iterator[tuple[Tensor, Tensor]]:
    for stack in chunks.split(max(1, at_once // chunks.shape[1])):
        whole = (stack[:, :1] != NO_ITEM).expand(-1, stack.shape[1] - 1)
        yield stack.clamp(min=0), whole
