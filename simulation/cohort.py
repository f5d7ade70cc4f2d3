"""The cohort engine: a round's clients trained together as stacked tensors, computing what each would on a device."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from penchant.client.app import ClientPlan
from penchant.client.chunk_training import disjoint_chunks
from penchant.interest import ChunkLoss, HistoryLoss, TensorLayout, round_negatives
from penchant.privacy.clip import ClippedSum, clip
from penchant.privacy.mechanism import release
from penchant.privacy.noise import NoiseSource
from penchant.simulation.stores import StackedStores
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F32, F64, I32, Unit

_CLIENTS_AT_ONCE = 24
_CHUNKS_AT_ONCE = 96
_OPACUS_FLOOR = 1e-6
"""Opacus divides by the norm plus this, so that a zero gradient stays zero."""

Stacked = dict[str, Tensor]


class CohortEngine:
    """Answers one request for many people at once."""

    def __init__(self, plan: ClientPlan, histories: Sequence[I32], stores: StackedStores, noise: NoiseSource) -> None:
        """histories: int32[n_events] each, in order of time.  noise: where clients add their own."""
        self._plan = plan
        self._histories = histories
        self._stores = stores
        self._noise = noise

    def answer(self, request: TrainRequest) -> SummedUpdate:
        """Train `request.people` on the head; keep their adapters; return the sum of what they would have sent."""
        plan, training = self._plan, self._plan.training
        negatives = round_negatives(plan.model.n_items, training.negatives, seed=plan.seed, round_=request.round)
        head = _tensors(plan.shared, request.head)
        by_length = sorted(request.people, key=lambda person: len(self._histories[person]))
        total = self._sum_of_updates(by_length, head, negatives)
        if plan.guarantee.client_noise:
            total = self._noised(total, len(by_length))
            for person in by_length:
                self._stores.charge(person, plan.guarantee.noise_multiplier)
        self.train_adapters(by_length, head, negatives, steps=training.adapter_steps)
        return SummedUpdate(request.round, total.astype(np.float32), people=len(by_length))

    def _sum_of_updates(self, people: Sequence[int], head: Stacked, negatives: Tensor | None) -> F64:
        if self._plan.guarantee.unit is Unit.EVENT:
            return self._sum_of_chunk_gradients(people, head, negatives)
        total = np.zeros(self._plan.shared.size)
        loss = HistoryLoss(self._plan.model)
        for block in _blocks(people, _CLIENTS_AT_ONCE):
            events, lengths = self._padded(block)
            weights = {name: values.expand(len(block), *values.shape) for name, values in head.items()}
            for _ in range(self._plan.training.local_steps):
                gradients = _gradients(loss, weights, (events, lengths), negatives)
                rate = self._plan.training.local_learning_rate
                weights = {name: weights[name] - rate * gradients[name] for name in weights}
            updates = _flat({name: weights[name] - head[name] for name in weights})
            if self._plan.guarantee.unit is Unit.USER:
                updates = clip(updates, bound=self._plan.guarantee.clip_bound).values
            total += updates.sum(0, dtype=np.float64)
        return total

    def _sum_of_chunk_gradients(self, people: Sequence[int], head: Stacked, negatives: Tensor | None) -> F64:
        length, bound = self._plan.training.chunk_length, self._plan.guarantee.clip_bound
        chunks = torch.from_numpy(np.concatenate([disjoint_chunks(self._histories[p], length) for p in people]))
        total = torch.zeros(self._plan.shared.size, dtype=torch.float64)
        loss = ChunkLoss(self._plan.model)
        for block in chunks.split(_CHUNKS_AT_ONCE):
            weights = {name: values.expand(len(block), *values.shape) for name, values in head.items()}
            gradients = torch.from_numpy(_flat(_gradients(loss, weights, (block,), negatives)))
            scale = (bound / (gradients.norm(dim=1) + _OPACUS_FLOOR)).clamp(max=1)
            total -= scale @ gradients
        return total.numpy()

    def _noised(self, total: F64, people: int) -> F64:
        """The sum of what `people` clients sent, each with its own noise: Gaussians add up to one Gaussian."""
        guarantee = self._plan.guarantee
        summed = ClippedSum(total, guarantee.clip_bound)
        return release(summed, noise_multiplier=guarantee.noise_multiplier * people**0.5, noise=self._noise)

    def train_adapters(self, people: Sequence[int], head: Stacked, negatives: Tensor | None, *, steps: int) -> None:
        """Gradient steps on each person's adapter, the head held fixed."""
        layout, training = self._plan.personal, self._plan.training
        loss = HistoryLoss(self._plan.model, personal=True)
        for block in _blocks(people, _CLIENTS_AT_ONCE) if steps else ():
            events, lengths = self._padded(block)
            adapters = _unstack(layout, torch.from_numpy(self._stores.adapters[block]))
            fixed = {name: values.expand(len(block), *values.shape) for name, values in head.items()}
            for _ in range(steps):
                gradients = _gradients(loss, adapters, (events, lengths), negatives, fixed=fixed)
                pull = training.adapter_weight_decay
                adapters = {
                    n: a - training.adapter_learning_rate * (gradients[n] + pull * a) for n, a in adapters.items()
                }
            self._stores.adapters[block] = _flat(adapters)

    def _padded(self, people: Sequence[int]) -> tuple[Tensor, Tensor]:
        latest = [self._histories[person][-self._plan.training.max_history :] for person in people]
        lengths = np.array([len(history) for history in latest])
        events = np.zeros((len(people), max(2, int(lengths.max()))), np.int64)
        for row, history in zip(events, latest, strict=True):
            row[: len(history)] = history
        return torch.from_numpy(events), torch.from_numpy(lengths)


def cohort_app(plan: ClientPlan, engine: CohortEngine) -> ClientApp:
    """A ClientApp that hosts many people: one message asks for all of a node's people."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        del context
        request = read_request(plan.shared, message)
        return Message(update_content(plan.shared, engine.answer(request)), reply_to=message)

    return app


def _gradients(
    loss: nn.Module,
    weights: Stacked,
    rows: tuple[Tensor, ...],
    negatives: Tensor | None,
    *,
    fixed: Stacked | None = None,
) -> Stacked:
    """Each row's own gradient: tensors [n, ...] like `weights`."""

    def loss_of_row(own: Stacked, held: Stacked, *row: Tensor) -> Tensor:
        named = {f"model.{name}": values for name, values in (own | held).items()}
        result: Tensor = functional_call(loss, named, (*(part[None] for part in row), negatives))
        return result.sum()

    gradients: Stacked = vmap(grad(loss_of_row))(weights, fixed or {}, *rows)
    return gradients


def _tensors(layout: TensorLayout, flat: F32) -> Stacked:
    return {name: torch.from_numpy(np.array(values)) for name, values in layout.unflatten(flat).items()}


def _unstack(layout: TensorLayout, flat: Tensor) -> Stacked:
    parts = flat.split([int(np.prod(shape)) for _, shape in layout.shapes], dim=1)
    return {n: part.reshape(-1, *shape) for (n, shape), part in zip(layout.shapes, parts, strict=True)}


def _flat(stacked: Stacked) -> F32:
    return torch.cat([values.flatten(1) for values in stacked.values()], dim=1).numpy()


def _blocks(people: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(people), size):
        yield list(people[start : start + size])
