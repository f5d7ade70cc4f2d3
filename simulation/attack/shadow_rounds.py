"""Rounds under attack: a shadow federation with a run's own settings, people and code, and canaries among them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from penchant.client.app import ClientPlan
from penchant.errors import BadInput
from penchant.interest import InterestModel, TensorLayout
from penchant.privacy.ledger import Budget, Ledger
from penchant.privacy.noise import CryptographicNoise
from penchant.privacy.one_run import Membership
from penchant.rng import stream
from penchant.rundir import RunDirectory
from penchant.server.app import server_app
from penchant.server.journal import Account, Hooks, RunJournal
from penchant.simulation.attack.canaries import Canaries, CanaryInteractions, CanaryPeople
from penchant.simulation.attack.membership import by_loss, by_recommendations
from penchant.simulation.cohort import CohortEngine
from penchant.simulation.federation import resolve_guarantee
from penchant.simulation.grid import LocalGrid
from penchant.simulation.serving import Serving
from penchant.simulation.settings import RunSettings
from penchant.simulation.stores import StackedStores
from penchant.simulation.world import World
from penchant.strategies import HeadState, InterestStrategy
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F32, F64, Bool, Unit

_NODE: Final = 2
_LEAST_ROUNDS: Final = 4


class ShadowRounds:
    """People 0 .. n-1 are real, those from n on are canaries; one node hosts them all."""

    def __init__(self, settings: RunSettings, world: World, count: int) -> None:
        """Raises: BadInput for too few rounds, or more canaries than the head has parameters."""
        if settings.federation.rounds < _LEAST_ROUNDS:
            raise BadInput(
                f"{settings.federation.rounds} rounds are too few for an attack; give {_LEAST_ROUNDS} or more"
            )
        self._settings, self._world = settings, world
        self._population = world.n_people + count
        self._n_real = world.n_people
        rng = stream(settings.seed, "audit")
        self.trained: Bool = rng.random(world.n_people) < 0.5
        model = InterestModel(world.items.vectors, settings.model, seed=settings.seed)
        guarantee = resolve_guarantee(settings, self._population)
        privacy = settings.privacy
        self.plan = ClientPlan(model, settings.training, guarantee, None, privacy.delta, settings.seed)
        self._engine = CohortEngine(
            self.plan,
            world.histories,
            StackedStores(TensorLayout.personal(model).read(model), world.n_people),
            lambda _: CryptographicNoise(),
        )
        self.canaries: Canaries = (
            CanaryPeople(self.plan, count, rng=rng)
            if privacy.unit is Unit.USER
            else CanaryInteractions(self.plan, world.histories, count, rng=rng)
        )
        self.included = self.canaries.included
        self._real_sum: F64 = np.zeros(self.plan.shared.size)
        self._last: F32 = np.zeros(self.plan.shared.size, np.float32)

    @property
    def sees(self) -> str:
        if self.plan.guarantee.client_noise:
            return "each canary's own noised update in every round, and everything but the coins"
        return "the noised sum of every round, and everything but the coins"

    def run(self, run: RunDirectory, ledger: Ledger, done: Callable[[], None]) -> F64:
        account = Account(ledger, Budget(float("inf"), self._settings.privacy.delta), reproducible=False)
        journal = RunJournal(run, self.plan.guarantee, account, Hooks(done=lambda _: done()))
        strategy = _Overheard(
            self._overhear,
            state=HeadState.initial(self.plan.shared.read(self.plan.model)),
            layout=self.plan.shared,
            roster=self,
            population=self._population,
            federation=self._settings.federation,
            optimizer=self._settings.optimizer,
            guarantee=self.plan.guarantee,
            noise=lambda _: CryptographicNoise(),
            secret_sampling=True,
            journal=journal,
            seed=self._settings.seed,
        )
        rounds = self._settings.federation.rounds
        app = server_app(lambda _: strategy, rounds=rounds, deadline_seconds=600)
        grid = LocalGrid(self._client_app(), [_NODE])
        app(grid, Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={}))
        self._last = strategy.state.head
        return self.canaries.scores

    def memberships(self) -> tuple[Membership, Membership]:
        """By the loss under the last head, and by lists."""
        model, histories, longest = (
            self.plan.model,
            self._world.histories,
            self._settings.training.max_history,
        )
        lists = Serving(model, self._last, longest).scores
        return (
            by_loss(model, self._last, histories, self.trained, max_history=longest),
            by_recommendations(lists, histories, self.trained),
        )

    def people(self) -> Sequence[int]:
        """Everyone who could take part: a roster for the strategy."""
        present = [self._n_real + canary for canary in self.canaries.present]
        return [*np.flatnonzero(self.trained).tolist(), *present]

    def nodes(self, people: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        return {_NODE: tuple(people)} if people else {}

    def _client_app(self) -> ClientApp:
        app = ClientApp()

        @app.train()
        def train(message: Message, context: Context) -> Message:
            del context
            request = read_request(self.plan.shared, message)
            return Message(update_content(self.plan.shared, self._answer(request)), reply_to=message)

        return app

    def _answer(self, request: TrainRequest) -> SummedUpdate:
        real = tuple(person for person in request.people if person < self._n_real)
        planted = [person - self._n_real for person in request.people if person >= self._n_real]
        self._real_sum, within = np.zeros(self.plan.shared.size), None if request.clip_bound is None else 0
        if real:
            answered = self._engine.answer(replace(request, people=real))
            self._real_sum, within = answered.values.astype(np.float64), answered.within
        total = self._real_sum + self.canaries.answer(request, planted)
        return SummedUpdate(request.round, total.astype(np.float32), len(request.people), within)

    def _overhear(self, round_: int, released: F64) -> None:
        self.canaries.watch(round_, released - self._real_sum)


class _Overheard(InterestStrategy):
    """The production strategy; what it releases is also heard by the attacker."""

    def __init__(self, overhear: Callable[[int, F64], None], **terms: Any) -> None:
        super().__init__(**terms)
        self._overhear = overhear

    def _released(self, total: F64, round_: int) -> F64:
        released = super()._released(total, round_)
        self._overhear(round_, released)
        return released
