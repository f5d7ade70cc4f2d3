"""The cohort engine: a round's clients trained together as stacked tensors, computing what each would on a device."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from flwr.app import Context, Error, Message
from flwr.clientapp import ClientApp

from penchant.client.app import ClientPlan
from penchant.privacy.clip import ClippedSum
from penchant.privacy.mechanism import release
from penchant.privacy.noise import NoiseSource
from penchant.simulation.absence import Absence, nobody
from penchant.simulation.shard import Crew, Job, ShardTrainer
from penchant.simulation.stores import StackedStores
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F32, F64, I32

NOBODY_ANSWERS = 4002
"""Flower error code of a node all of whose people are away."""


class CohortEngine:
    """Answers one request for many people at once: a crew trains them, the engine keeps what is personal."""

    def __init__(
        self,
        plan: ClientPlan,
        histories: Sequence[I32],
        stores: StackedStores,
        noise: Callable[[int], NoiseSource],
        *,
        crew: Crew | None = None,
        absent: Absence = nobody,
    ) -> None:
        """histories: int32[n_events] each, in order of time.  noise: round -> the clients' own noise."""
        self._plan = plan
        self._n_people = len(histories)
        self._stores = stores
        self._noise = noise
        self._crew = crew or ShardTrainer(plan, histories)
        self._absent = absent

    def answer(self, request: TrainRequest) -> SummedUpdate:
        """Train those of `request.people` who are there; keep their adapters; return the sum of what they send.

        The people of the answer are those who were there; with none, nothing was trained.
        """
        guarantee = self._plan.guarantee
        away = self._absent(request.round)
        people = [person for person in request.people if person not in away]
        steps = self._plan.training.adapter_steps
        total, within = self._trained(request, people, with_head=True, steps=steps)
        if guarantee.client_noise and people:
            total = self._noised(total, len(people), request.round)
            for person in people:
                self._stores.charge(person, guarantee.noise_multiplier)
        told = None if request.clip_bound is None else within
        return SummedUpdate(request.round, total.astype(np.float32), len(people), told)

    def finish(self, head: F32, *, round_: int) -> None:
        """What every client does with the last head: train the adapter on."""
        steps = self._plan.training.final_adapter_steps
        if steps:
            everybody = range(self._n_people)
            self._trained(TrainRequest(round_, head), everybody, with_head=False, steps=steps)

    def _trained(
        self, request: TrainRequest, people: Sequence[int], *, with_head: bool, steps: int
    ) -> tuple[F64, int]:
        total, within = np.zeros(self._plan.shared.size), 0
        size = max(1, self._crew.job_size(len(people)))
        shares = (tuple(people[start : start + size]) for start in range(0, len(people), size))
        for outcome in self._crew.train(self._jobs(request, shares, with_head=with_head, steps=steps)):
            total += outcome.total
            within += outcome.within
            if outcome.adapters is not None:
                self._stores.keep(outcome.people, outcome.adapters)
        return total, within

    def _jobs(
        self, request: TrainRequest, shares: Iterator[tuple[int, ...]], *, with_head: bool, steps: int
    ) -> Iterator[Job]:
        for share in shares:
            adapters = self._stores.adapters[list(share)] if steps else None
            yield Job(request.round, request.head, share, with_head, adapters, steps, request.clip_bound)

    def _noised(self, total: F64, people: int, round_: int) -> F64:
        """The sum of what `people` clients sent, each with its own noise: Gaussians add up to one Gaussian."""
        guarantee = self._plan.guarantee
        summed = ClippedSum(total, guarantee.clip_bound)
        return release(
            summed, noise_multiplier=guarantee.noise_multiplier * people**0.5, noise=self._noise(round_)
        )


def cohort_app(plan: ClientPlan, engine: CohortEngine) -> ClientApp:
    """A ClientApp that hosts many people: one message asks for all of a node's people."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        del context
        update = engine.answer(read_request(plan.shared, message))
        if update.people == 0:
            return Message(Error(NOBODY_ANSWERS, "nobody of this node is there"), reply_to=message)
        return Message(update_content(plan.shared, update), reply_to=message)

    return app
