"""Wires a simulated federation: the same ServerApp and strategy as a deployment, on the engine that is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from flwr.app import Context, Message, RecordDict
from flwr.serverapp import Grid

from penchant.client.app import ClientPlan, Person, client_app
from penchant.client.counting import answer_counts
from penchant.errors import EnvironmentMissing
from penchant.interest import InterestModel, TensorLayout
from penchant.interest.company import Company
from penchant.interest.counting import Counts
from penchant.interest.lift import Reading, read_counts
from penchant.privacy.events import PrivacyEvent
from penchant.privacy.noise import CryptographicNoise, NoiseSource, ReproducibleNoise
from penchant.server.app import server_app
from penchant.simulation.absence import Absence, round_of, schedule
from penchant.simulation.cohort import CohortEngine, cohort_app
from penchant.simulation.counting import cohort_counts, run_count
from penchant.simulation.grid import LocalGrid
from penchant.simulation.origin import Origin
from penchant.simulation.ray_crew import RayCrew
from penchant.simulation.roster import HostedPeople, PeopleAsNodes, node_of, person_of
from penchant.simulation.serving import Serving
from penchant.simulation.settings import Device, EngineName, RunSettings
from penchant.simulation.shard import Crew, Job, ShardTrainer, chance_of
from penchant.simulation.stores import StackedStores
from penchant.simulation.world import World
from penchant.strategies import Draw, Guarantee, HeadState, InterestStrategy, Journal, Roster
from penchant.strategies.counting import CountingStrategy, CountingTerms, What, concluded, counted
from penchant.strategies.resolution import counting_terms, resolved
from penchant.types import F32, I32, Unit

Solvent = Callable[[int, PrivacyEvent | None, Draw], Draw]


def _all_of(round_: int, event: PrivacyEvent | None, draw: Draw) -> Draw:
    del round_, event
    return draw


def device_of(wanted: Device) -> str:
    """Raises: EnvironmentMissing for cuda where PyTorch finds no GPU."""
    there = torch.cuda.is_available()
    if wanted is Device.CUDA and not there:
        raise EnvironmentMissing("device cuda: PyTorch finds no GPU; leave out --device, or say --device cpu")
    return "cuda" if there and wanted is not Device.CPU else "cpu"


def resolve_guarantee(settings: RunSettings, n_people: int) -> Guarantee:
    """The mechanism of a run over a data set of `n_people`."""
    return resolved(settings.privacy, settings.federation, people=n_people, company=settings.company)


@dataclass(frozen=True)
class Federation:
    """People, their stores, the model, the mechanism. `train` runs the rounds; `personalise` comes after."""

    settings: RunSettings
    world: World
    model: InterestModel
    guarantee: Guarantee
    stores: StackedStores
    origin: Origin | None = None

    @classmethod
    def of(cls, settings: RunSettings, world: World, origin: Origin | None = None) -> "Federation":
        model = InterestModel(world.items.vectors, settings.model, seed=settings.seed)
        stores = StackedStores(TensorLayout.personal(model).read(model), world.n_people)
        return cls(settings, world, model, resolve_guarantee(settings, world.n_people), stores, origin)

    @property
    def layout(self) -> TensorLayout:
        return TensorLayout.shared(self.model)

    def initial_state(self) -> HeadState:
        fresh = self._untrained()
        if self.origin is not None:
            return HeadState.initial(self.origin.start(fresh, self.world.dataset.catalogue))
        return HeadState.initial(self.layout.read(fresh))

    def _untrained(self) -> InterestModel:
        return InterestModel(self.world.items.vectors, self.settings.model, seed=self.settings.seed)

    @cached_property
    def counting(self) -> CountingTerms | None:
        """What is counted before the rounds; None: nothing."""
        settings = self.settings
        n_items = self.model.n_items
        return counting_terms(settings.privacy, settings.federation, settings.company, n_items=n_items)

    def count(self, what: What, told: F32, journal: Journal) -> F32:
        """Count items, pairs or votes: float32[size], summed over everybody, noised.

        told: float32, what was released before.

        Raises: BudgetExceeded before anything is asked.
        """
        terms, federation = self._terms, self.settings.federation
        grid, roster = self._grid()
        strategy = CountingStrategy(
            terms,
            what,
            told,
            roster=roster,
            population=self.world.n_people,
            federation=federation,
            noise=lambda: self.noise(what, 0),
            journal=journal,
        )
        run_count(strategy, grid, deadline_seconds=federation.round_deadline_seconds)
        return self.totals(strategy.state.head)

    def totals(self, mean: F32) -> F32:
        """From a released mean to the sum."""
        return counted(mean, self.world.n_people)

    def company(self, released: Mapping[What, F32]) -> Company:
        """What the released counts let conclude: post-processing, free of privacy."""
        return concluded(self._terms, released, self.read)

    def read(self, counts: Counts) -> Reading:
        """What counts say of the catalogue."""
        offered, vectors = self.world.offered, self.world.items.vectors
        there = None if offered is None else np.isin(np.arange(len(vectors)), offered.numpy())
        return read_counts(counts, vectors, self.settings.company, offered=there, target=self.world.target)

    def serving(self, head: F32, company: Company | None) -> Serving:
        """What serves people with this head and company."""
        settings = self.settings
        weight = settings.company.head_weight
        return Serving(self.model, head, settings.training.max_history, company, weight)

    @property
    def _terms(self) -> CountingTerms:
        assert self.counting is not None
        return self.counting

    def train(self, state: HeadState, journal: Journal, *, solvent: Solvent = _all_of) -> HeadState:
        """Run the rounds that are left. Raises: BudgetExceeded before a round that may not be paid for.

        solvent: leaves out of a draw whoever cannot pay for it.
        """
        grid, roster = self._grid()
        strategy = self._strategy(state, journal, roster, solvent)

        def strategy_for(_: Grid) -> InterestStrategy:
            return strategy

        app = server_app(
            strategy_for,
            rounds=self.settings.federation.rounds,
            deadline_seconds=self.settings.federation.round_deadline_seconds,
        )
        app(grid, Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={}))
        return strategy.state

    def personalise(self, state: HeadState) -> None:
        """What each client does with the last head: train the own adapter on it. Nothing leaves."""
        self._engine().finish(state.head, round_=state.round + 1)

    def adapted(self, head: F32, histories: Sequence[I32]) -> F32 | None:
        """Adapters as devices would train them that came after the last round: float32[n_people, n_personal].

        histories: int32[n_events] each, in order of time.  None where the settings train none at the end.
        """
        steps, after = self.settings.training.final_adapter_steps, self.settings.federation.rounds + 1
        if not steps or not len(histories):
            return None
        untrained = TensorLayout.personal(self.model).read(self._untrained())
        adapters = np.tile(untrained, (len(histories), 1))
        crew = ShardTrainer(self._plan(), histories, device=device_of(self.settings.device))
        return crew.answer(
            Job(
                after,
                head,
                tuple(range(len(histories))),
                with_head=False,
                adapters=adapters,
                adapter_steps=steps,
            )
        ).adapters

    def _strategy(
        self, state: HeadState, journal: Journal, roster: Roster, solvent: Solvent = _all_of
    ) -> InterestStrategy:
        settings = self.settings
        return InterestStrategy(
            state=state,
            layout=self.layout,
            roster=roster,
            population=self.world.n_people,
            federation=settings.federation,
            optimizer=settings.optimizer,
            guarantee=self.guarantee,
            noise=lambda round_: self.noise("server", round_),
            secret_sampling=self.guarantee.unit is not Unit.NONE and not settings.privacy.reproducible_noise,
            journal=journal,
            seed=settings.seed,
            votes_noise=lambda round_: self.noise("votes", round_),
            solvent=solvent,
        )

    def _grid(self) -> tuple[LocalGrid, Roster]:
        if self.settings.engine is EngineName.FLOWER:
            people = PeopleAsNodes(self.world.n_people)
            app, nodes = client_app(self._plan(), self._person), [node_of(p) for p in people.people()]
            if self.counting is not None:
                answer_counts(app, self.counting, lambda context: self._person(context).history, self.read)
            return LocalGrid(app, nodes, absent=self._is_away), people
        hosted = HostedPeople(self.world.n_people)
        app = cohort_app(self._plan(), self._engine())
        if self.counting is not None:
            cohort_counts(app, self.counting, self.world.histories, self.read)
        return LocalGrid(app, list(hosted.nodes(hosted.people()))), hosted

    def _engine(self) -> CohortEngine:
        return CohortEngine(
            self._plan(),
            self.world.histories,
            self.stores,
            lambda round_: self.noise("clients", round_),
            crew=self._crew,
            absent=self._absence,
        )

    @cached_property
    def _crew(self) -> Crew:
        settings, histories = self.settings, self.world.histories
        device = device_of(settings.device)
        if settings.engine is EngineName.RAY:
            return RayCrew(self._plan(), histories, workers=settings.workers, device=device)
        return ShardTrainer(self._plan(), histories, device=device)

    @property
    def _absence(self) -> Absence:
        settings = self.settings
        return schedule(settings.dropout, n_people=self.world.n_people, seed=settings.seed)

    def _is_away(self, message: Message) -> bool:
        """Where each person is a node."""
        return person_of(message.metadata.dst_node_id) in self._absence(round_of(message))

    def _person(self, context: Context) -> Person:
        person = person_of(context.node_id)
        return Person(
            self.world.histories[person],
            self.stores.of(person),
            lambda round_: self.noise(f"client-{person}", round_),
            lambda round_: chance_of(self.settings.seed, person, round_),
        )

    def _plan(self) -> ClientPlan:
        privacy = self.settings.privacy
        return ClientPlan(
            self.model,
            self.settings.training,
            self.guarantee,
            privacy.epsilon,
            privacy.delta,
            self.settings.seed,
            self.world.offered,
        )

    def noise(self, who: str, round_: int) -> NoiseSource:
        """Fresh noise, unless the run asks for noise that can be drawn again."""
        if self.settings.privacy.reproducible_noise:
            return ReproducibleNoise(self.settings.seed, who, round_)
        return CryptographicNoise()
