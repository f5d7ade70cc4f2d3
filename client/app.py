"""The Flower ClientApp: one person, one message, one update of allow-listed tensors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from flwr.app import Context, Error, Message
from flwr.clientapp import ClientApp

from penchant.client.adapter_training import train_adapter
from penchant.client.budget import admit_charge
from penchant.client.head_training import head_update
from penchant.client.store import ClientStore, PersonalState, charged
from penchant.config import TrainingSettings
from penchant.errors import BudgetExceeded, EnvironmentMissing
from penchant.interest import InterestModel, Kept, TensorLayout, round_negatives
from penchant.interest.counting import Counts
from penchant.interest.lift import Reading, read_counts
from penchant.privacy.clip import ClippedSum, clip
from penchant.privacy.mechanism import release
from penchant.privacy.noise import NoiseSource
from penchant.strategies.counting import CountingTerms
from penchant.strategies.guarantee import Guarantee
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F32, I32, Unit

BUDGET_SPENT = 4001
"""Flower error code of a client that will not train any more. It goes on recommending."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who lives at a node. history: int32[n_events], catalogue indices in order of time.

    noise: round -> the source of this client's own noise.  chance: round -> what decides which events training leaves
    out.
    """

    history: I32
    store: ClientStore
    noise: Callable[[int], NoiseSource]
    chance: Callable[[int], np.random.Generator] = lambda round_: np.random.default_rng()


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """What every client of a run agrees on beforehand.

    model: this process' instance, overwritten with each received head.  epsilon_limit: a client's own, for life.
    offered: int64[n], the items that there are while training; None: the whole catalogue.
    counting: what is counted before the rounds; None: nothing, or not by this app.
    """

    model: InterestModel
    training: TrainingSettings
    guarantee: Guarantee
    epsilon_limit: float | None
    delta: float
    seed: int
    offered: torch.Tensor | None = None
    counting: CountingTerms | None = None

    def read(self, counts: Counts) -> Reading:
        """What released counts say of the catalogue."""
        assert self.counting is not None
        return read_counts(counts, self.model.item_vectors.numpy(), self.counting.settings)

    def negatives(self, round_: int) -> torch.Tensor:
        """A round's wrong answers, alike for every client: int64[c]."""
        return round_negatives(
            self.model.n_items,
            self.training.negatives,
            seed=self.seed,
            round_=round_,
            offered=self.offered,
        )

    @property
    def shared(self) -> TensorLayout:
        return TensorLayout.shared(self.model)

    @property
    def personal(self) -> TensorLayout:
        return TensorLayout.personal(self.model)

    def kept(self, n_events: int, chance: np.random.Generator) -> Kept | None:
        """What training leaves out of a history of so many events."""
        length = max(2, min(n_events, self.training.max_history)) - 1
        return Kept.of(self.training, length, self.model.width, chance)


def client_app(plan: ClientPlan, person_at: Callable[[Context], Person]) -> ClientApp:
    """A ClientApp for the person that `person_at` finds at a node."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        request = read_request(plan.shared, message)
        try:
            update = answer(plan, person_at(context), request)
        except BudgetExceeded as error:
            return Message(Error(BUDGET_SPENT, str(error)), reply_to=message)
        return Message(update_content(plan.shared, SummedUpdate(request.round, update)), reply_to=message)

    return app


def answer(plan: ClientPlan, person: Person, request: TrainRequest) -> F32:
    """Train on the request's head; keep what is personal; return what may leave, float32[n_shared].

    The client's own account is charged, and stored, before this returns. Raises: BudgetExceeded, nothing trained.
    """
    model, training = plan.model, plan.training
    plan.shared.write(model, request.head)
    negatives = plan.negatives(request.round)
    state = person.store.load()
    update, state = _head_update(plan, person, state, request, negatives)
    adapter = train_adapter(
        model,
        state.adapter,
        person.history,
        layout=plan.personal,
        steps=training.adapter_steps,
        settings=training,
        negatives=negatives,
    )
    person.store.save(PersonalState(adapter, state.charges))
    return update


def _head_update(
    plan: ClientPlan, person: Person, state: PersonalState, request: TrainRequest, negatives: torch.Tensor
) -> tuple[F32, PersonalState]:
    guarantee, round_ = plan.guarantee, request.round
    if guarantee.client_noise:
        admit_charge(state.charges, guarantee, epsilon_limit=plan.epsilon_limit, delta=plan.delta)
    if guarantee.unit is Unit.EVENT:
        disjoint_chunks, private_chunk_update = _chunk_training()
        update, charges = private_chunk_update(
            plan.model,
            disjoint_chunks(person.history, plan.training.chunk_length),
            layout=plan.shared,
            clip_bound=guarantee.clip_bound,
            noise_multiplier=guarantee.noise_multiplier if guarantee.client_noise else 0.0,
            noise=person.noise(round_) if guarantee.client_noise else None,
            charges=state.charges,
            negatives=negatives,
        )
        return update, PersonalState(state.adapter, charges if guarantee.client_noise else state.charges)
    update = head_update(
        plan.model,
        person.history,
        layout=plan.shared,
        settings=plan.training,
        negatives=negatives,
        kept=plan.kept(len(person.history), person.chance(round_)),
    )
    if guarantee.unit is Unit.USER:
        clipped = clip(update, bound=request.clip_bound or guarantee.clip_bound)
        update = clipped.values[0]
        if guarantee.client_noise:
            total = ClippedSum.empty(len(update), bound=clipped.bound).plus(clipped)
            noised = release(total, noise_multiplier=guarantee.noise_multiplier, noise=person.noise(round_))
            account = charged(state.charges, guarantee.noise_multiplier)
            return noised.astype("float32"), PersonalState(state.adapter, account)
    return update, state


def _chunk_training() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Opacus is needed for the `event` unit alone, and brings SciPy. Raises: EnvironmentMissing."""
    try:
        from penchant.client.chunk_training import disjoint_chunks, private_chunk_update
    except ModuleNotFoundError as error:
        raise EnvironmentMissing(
            "a federation that protects single events needs Opacus: pip install opacus==1.6.0"
        ) from error
    return disjoint_chunks, private_chunk_update
