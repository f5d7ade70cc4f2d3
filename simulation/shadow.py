"""A shadow federation for the audit: a run's own settings, people and code, with canaries among them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from penchant.client.app import ClientPlan
from penchant.errors import BadInput
from penchant.interest import InterestModel, TensorLayout
from penchant.privacy.ledger import Budget, Ledger
from penchant.privacy.noise import CryptographicNoise
from penchant.privacy.one_run import EmpiricalBound, Membership, lower_bound
from penchant.privacy.pricing import Priced, cross_checked
from penchant.rng import stream
from penchant.rundir import RunDirectory
from penchant.server.app import server_app
from penchant.server.journal import Account, Hooks, RunJournal
from penchant.simulation.canaries import Canaries, CanaryInteractions, CanaryPeople
from penchant.simulation.cohort import CohortEngine
from penchant.simulation.federation import resolve_guarantee
from penchant.simulation.grid import LocalGrid
from penchant.simulation.inference import by_model, by_recommendations
from penchant.simulation.settings import RunSettings, validated
from penchant.simulation.stores import StackedStores
from penchant.simulation.world import World
from penchant.strategies import HeadState, InterestStrategy
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F64, Bool, Unit

_NODE: Final = 2
_LEAST_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Attack:
    """What was claimed, and what an attacker could prove.

    model, recommendations: who of the real people was trained on, told from the final head and from lists alone.
    """

    claim: Priced
    bound: EmpiricalBound
    sees: str
    model: Membership
    recommendations: Membership

    @property
    def refuted(self) -> bool:
        """Whether the attack proves more than was claimed."""
        return self.bound.epsilon > self.claim.epsilon

    def to_record(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return {
            "claim": self.claim.to_record(),
            "bound": asdict(self.bound),
            "refuted": self.refuted,
            "attacker_sees": self.sees,
            "membership": {"model": asdict(self.model), "recommendations": asdict(self.recommendations)},
        }


def claiming(settings: RunSettings, epsilon: float) -> RunSettings:
    """The same run with its noise calibrated to another claim: few guesses can refute a small epsilon only."""
    privacy = {
        **settings.privacy.model_dump(),
        "epsilon": epsilon,
        "noise_multiplier": None,
        "reproducible_noise": False,
    }
    return validated({**settings.model_dump(), "privacy": privacy}, source="the attack's settings")


def attack(
    settings: RunSettings,
    world: World,
    folder: Path,
    *,
    canaries: int,
    guesses: int,
    done: Callable[[], None] = lambda: None,
) -> Attack:
    """Run the shadow federation in `folder`, guess the canaries' coins, and hold that against the ledger's price.

    Half of the real people, drawn by coins too, are left out of training: they are the others of the membership tests.
    Raises: BadInput where nothing is protected, there are too few rounds, or the model is too small for the canaries.
    """
    if settings.federation.rounds < _LEAST_ROUNDS:
        raise BadInput(
            f"{settings.federation.rounds} rounds are too few for an attack; give {_LEAST_ROUNDS} or more"
        )
    if settings.privacy.unit is Unit.NONE:
        raise BadInput(
            "unit none claims nothing that could be refuted; attack a run with --privacy user or event"
        )
    shadow = _Shadow(settings, world, canaries)
    with Ledger(RunDirectory(folder).ledger_path, run_id="shadow") as ledger:
        state = shadow.train(RunDirectory(folder), ledger, done)
        claim = cross_checked(ledger.charges.spent(), delta=settings.privacy.delta)
    found, model, longest = shadow.canaries, shadow.plan.model, settings.training.max_history
    return Attack(
        claim=claim,
        bound=lower_bound(found.scores, found.included, guesses=guesses, delta=settings.privacy.delta),
        sees=shadow.sees,
        model=by_model(model, state.head, world.histories, shadow.trained, max_history=longest),
        recommendations=by_recommendations(
            model, state.head, world.histories, shadow.trained, max_history=longest
        ),
    )


class _Shadow:
    """People 0 .. n-1 are real, those from n on are canaries; one node hosts them all."""

    def __init__(self, settings: RunSettings, world: World, count: int) -> None:
        self._settings = settings
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
        self._real_sum: F64 = np.zeros(self.plan.shared.size)

    @property
    def sees(self) -> str:
        if self.plan.guarantee.client_noise:
            return "each canary's own noised update in every round, and everything but the coins"
        return "the noised sum of every round, and everything but the coins"

    def train(self, run: RunDirectory, ledger: Ledger, done: Callable[[], None]) -> HeadState:
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
        return strategy.state

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
