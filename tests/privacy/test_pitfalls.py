"""Mistakes that others made: each is planted into the production code, and must then be caught.

Every test states a check, sees it pass, plants the mistake, and sees the same check fail.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from dp_accounting import NeighboringRelation
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from opacus.accountants import RDPAccountant as OpacusRDP

from penchant.client import chunk_training
from penchant.client.chunk_training import private_chunk_update
from penchant.config import FederationSettings, ModelSettings, OptimizerSettings, PrivacySettings
from penchant.errors import BudgetExceeded, PenchantError
from penchant.interest import InterestModel, TensorLayout
from penchant.privacy import accountants, calibrate, clip, group, mechanism, noise
from penchant.privacy.accountants import PLDAccountant, RDPAccountant
from penchant.privacy.adaptive_clip import QuantileClip, shared_out
from penchant.privacy.charges import Charges
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.privacy.ledger import Budget, Ledger
from penchant.report._privacy import several_interactions
from penchant.rundir import RunDirectory
from penchant.server import journal
from penchant.server.journal import Account, Hooks, RunJournal
from penchant.simulation import federation
from penchant.simulation.grid import LocalGrid
from penchant.simulation.roster import PeopleAsNodes
from penchant.simulation.settings import RunSettings
from penchant.strategies import (
    Draw,
    Guarantee,
    HeadState,
    InterestStrategy,
    RoundSummary,
    draw_cohort,
    resolution,
)
from penchant.strategies import cohort as cohorts
from penchant.strategies import interest as strategy_module
from penchant.strategies import wire as wire
from penchant.strategies.wire import SummedUpdate, read_request, update_content
from penchant.types import F32, F64, NO_ITEM, NoiseAt, Sampling, Unit

BUDGET = Budget(1e9, 1e-5)
CAUGHT = (AssertionError, PenchantError)


# A federation of a few people whose updates a test decides.


class _Noise:
    """Adds nothing, or ones; remembers how often it was asked."""

    protects = False

    def __init__(self, value: float = 0.0) -> None:
        self.value = value
        self.draws = 0

    def standard_normal(self, size: int) -> F64:
        self.draws += 1
        return np.full(size, self.value)


class _Journal:
    """Remembers the order of what happened."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def charge(self, round_: int, event: PrivacyEvent | None, draw: Draw) -> None:
        assert round_
        assert draw.payers is None
        assert event
        self.log.append("charge")

    def persist(self, state: HeadState, summary: RoundSummary) -> None:
        assert state.round == summary.round
        self.log.append("persist")


def _model() -> InterestModel:
    vectors = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)
    return InterestModel(vectors, ModelSettings(width=4), seed=0)


class _Federation:
    """One round after another over people whose updates are given; None: the person does not answer."""

    def __init__(
        self,
        updates: Mapping[int, F32 | None],
        *,
        settings: FederationSettings | None = None,
        noise: _Noise | None = None,
    ) -> None:
        self.log: list[str] = []
        self.noise = noise or _Noise()
        self._layout = TensorLayout.shared(_model())
        self._updates = updates
        self._grid = LocalGrid(self._app(), [person + 2 for person in updates])
        settings = settings or FederationSettings(min_replies=0)
        rate = (
            settings.cohort / len(updates)
            if settings.cohort and settings.sampling is Sampling.POISSON
            else None
        )
        self.strategy = InterestStrategy(
            state=HeadState.initial(np.zeros(self._layout.size, np.float32)),
            layout=self._layout,
            roster=PeopleAsNodes(len(updates)),
            population=len(updates),
            federation=settings,
            optimizer=OptimizerSettings(name="fedavg", learning_rate=1.0, momentum=0.0),
            guarantee=Guarantee(Unit.USER, NoiseAt.SERVER, 1.0, 2.0, rate),
            noise=self._source,
            secret_sampling=True,
            journal=_Journal(self.log),
            seed=0,
        )

    def _source(self, round_: int) -> _Noise:
        assert round_
        self.log.append("noise")
        return self.noise

    def _app(self) -> ClientApp:
        app = ClientApp()

        @app.train()
        def train(message: Message, context: Context) -> Message:
            request = read_request(self._layout, message)
            update = self._updates[context.node_id - 2]
            if update is None:
                raise ConnectionError("no answer")
            return Message(self.content(request.round, update), reply_to=message)

        return app

    def content(self, round_: int, update: F32) -> Any:
        return update_content(self._layout, SummedUpdate(round_, update))

    def round(self) -> F32:
        """The step that one round makes on the head."""
        before = self.strategy.state.head
        grid: Grid = self._grid
        messages = self.strategy.configure_train(1, None, None, grid)  # type: ignore[arg-type]
        replies = [reply for message in messages if (reply := self._answer(message)) is not None]
        self.strategy.aggregate_train(1, replies)
        step: F32 = self.strategy.state.head - before
        return step

    def _answer(self, message: Message) -> Message | None:
        try:
            return next(iter(self._grid.send_and_receive([message])))
        except ConnectionError:
            return None


def _towards(axis: int, length: float = 1.0) -> F32:
    update = np.zeros(TensorLayout.shared(_model()).size, np.float32)
    update[axis] = length
    return update


def _ledger(path: Path, run: str = "run") -> Ledger:
    return Ledger(path / "ledger.sqlite", run_id=run)


def _spend(ledger: Ledger, rounds: int, event: PrivacyEvent, budget: Budget = BUDGET) -> None:
    start = max((c.round for c in ledger.charges.all() if c.run == ledger.run_id), default=0)
    for round_ in range(start + 1, start + rounds + 1):
        ledger.reserve(round_, event, budget=budget, reproducible=False)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Puts a mistake into the production code for the rest of one test."""
    return monkeypatch


def test_01_a_new_accountant_each_round(planted: pytest.MonkeyPatch) -> None:
    """One round's epsilon (1.9) is reported for fifty (15.5)."""
    history = Charges()
    event = PoissonGaussianSum(16 / 120, 1.0, Unit.EVENT)
    history._everybody[event] = 50 * 8

    def check() -> None:
        assert PLDAccountant().epsilon(history.spent(), delta=1e-3) == pytest.approx(15.5, rel=5e-3)

    check()
    honest = Charges.spent
    planted.setattr(Charges, "spent", lambda self, person=None: honest(self, person)[-8:])
    with pytest.raises(AssertionError):
        check()
    assert PLDAccountant().epsilon(history.spent(), delta=1e-3) == pytest.approx(1.9, rel=5e-3)


def test_02_fixed_cohorts_accounted_as_poisson(planted: pytest.MonkeyPatch) -> None:
    settings = RunSettings(
        federation=FederationSettings(cohort=10, sampling=Sampling.FIXED),
        privacy=PrivacySettings(epsilon=None, noise_multiplier=4.65),
    )

    def check() -> None:
        event = federation.resolve_guarantee(settings, 100).event
        assert event is not None
        assert PLDAccountant().epsilon([event] * 60, delta=1e-5) == pytest.approx(8.0, rel=1e-3)

    check()
    planted.setattr(resolution, "Sampling", SimpleNamespace(POISSON=Sampling.FIXED))
    with pytest.raises(AssertionError):
        check()


def test_03_whoever_is_there_accounted_as_poisson(planted: pytest.MonkeyPatch) -> None:
    """Half the population is on line: each of those still joins with the fixed rate, secretly."""
    settings = FederationSettings(cohort=10, sampling=Sampling.POISSON)

    def draw(seed: int) -> list[int]:
        return draw_cohort(range(50), settings, population=100, seed=seed, round_=1, secret=True).people

    def check() -> None:
        sizes = [len(draw(0)) for _ in range(2000)]
        assert np.mean(sizes) == pytest.approx(5, abs=0.3)
        assert np.var(sizes) == pytest.approx(50 * 0.1 * 0.9, rel=0.25)
        assert len({tuple(draw(0)) for _ in range(20)}) > 10

    check()
    with planted.context() as by_who_is_there:
        by_who_is_there.setattr(cohorts, "poisson_rate", lambda *_: 10 / 50)
        with pytest.raises(AssertionError):
            check()
    planted.setattr("secrets.SystemRandom", lambda: random.Random(0))
    with pytest.raises(AssertionError):
        check()


def test_03_people_drawn_by_another_rule_than_was_claimed(planted: pytest.MonkeyPatch) -> None:
    """The run claims coins, and somebody draws so many instead: the round is charged as if everybody took part."""
    settings = FederationSettings(cohort=1, sampling=Sampling.POISSON, min_replies=0)
    promised = Guarantee(Unit.USER, NoiseAt.SERVER, 1.0, 2.0, 0.5)

    def drawn(rule: Sampling) -> Draw:
        own = FederationSettings(cohort=1, sampling=rule)
        return draw_cohort(range(2), own, population=2, seed=0, round_=1, secret=True)

    def check() -> None:
        assert promised.event_of(drawn(Sampling.POISSON)) == PoissonGaussianSum(0.5, 2.0, Unit.USER)
        assert promised.event_of(drawn(Sampling.FIXED)) == GaussianSum(2.0, Unit.USER)
        other = draw_cohort(range(4), settings, population=4, seed=0, round_=1, secret=True)
        assert promised.event_of(other) == GaussianSum(2.0, Unit.USER)

    check()
    planted.setattr(Guarantee, "event_of", lambda self, draw: self.event if draw else None)
    with pytest.raises(AssertionError):
        check()


def test_03_coins_that_can_be_thrown_again(planted: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Amplification needs coins that nobody else knows; those of a seed are charged nowhere but in a repeatable run."""
    event, runs = PoissonGaussianSum(0.5, 2.0, Unit.USER), iter(range(9))

    def charged(draw: Draw, *, reproducible: bool) -> list[PrivacyEvent]:
        run = RunDirectory(tmp_path / str(next(runs)))
        with _ledger(run.root) as ledger:
            account = Account(ledger, BUDGET, reproducible)
            guarantee = Guarantee(Unit.USER, NoiseAt.SERVER, 1.0, 2.0, 0.5)
            RunJournal(run, guarantee, account, Hooks()).charge(1, event, draw)
            return ledger.charges.spent()

    def check() -> None:
        assert charged(Draw([0], rate=0.5, secret=True), reproducible=False) == [event]
        assert charged(Draw([0], rate=0.5), reproducible=True) == [event]
        with pytest.raises(PenchantError, match="not drawn in secret"):
            charged(Draw([0], rate=0.5), reproducible=False)

    check()
    planted.setattr(journal, "PoissonGaussianSum", SimpleNamespace)
    with pytest.raises(pytest.fail.Exception):
        check()


def test_04_an_empty_poisson_round_is_skipped(planted: pytest.MonkeyPatch) -> None:
    """Nobody was drawn: the round is noise alone, and charged."""
    settings = FederationSettings(cohort=1, sampling=Sampling.POISSON, min_replies=0)
    planted.setattr(strategy_module, "draw_cohort", lambda *_, **__: Draw([], rate=0.5, secret=True))

    def check() -> None:
        few = _Federation({0: _towards(0), 1: _towards(1)}, settings=settings, noise=_Noise(1.0))
        assert np.abs(few.round()).min() > 1
        assert few.log == ["charge", "noise", "persist"]

    check()
    honest = InterestStrategy.aggregate_train

    def skips(self: InterestStrategy, server_round: int, replies: list[Message]) -> Any:
        return honest(self, server_round, replies) if replies else (None, None)

    planted.setattr(InterestStrategy, "aggregate_train", skips)
    with pytest.raises(AssertionError):
        check()


def test_05_dividing_by_whoever_answered(planted: pytest.MonkeyPatch) -> None:
    """One of four answers: the step is a quarter of the update. Else one person more or less would move all others'."""
    people = {0: _towards(0), 1: None, 2: None, 3: None}

    def check() -> None:
        assert _Federation(people).round()[0] == pytest.approx(1 / 4)

    check()
    planted.setattr(strategy_module, "expected_cohort", lambda *_: 1)
    with pytest.raises(AssertionError):
        check()


@pytest.mark.filterwarnings("ignore:Secure RNG turned off", "ignore:Full backward hook is firing")
def test_06_a_blanked_event_replaces_a_contribution(planted: pytest.MonkeyPatch) -> None:
    """Accounted with sensitivity C, so a blank must take its chunk away, and not change it (which may cost 2C)."""
    history = np.array([0, 5, 7, 3, 9, 1, 4, 11], np.int32)
    model, bound = _model(), 1e-3

    def update(events: np.ndarray) -> F32:
        sent, _ = private_chunk_update(
            model,
            chunk_training.disjoint_chunks(events, 2),
            layout=TensorLayout.shared(model),
            clip_bound=bound,
            noise_multiplier=0.0,
            noise=None,
            charges=(),
            negatives=torch.arange(12),
        )
        return sent

    def check() -> None:
        for at in range(len(history)):
            blanked = history.copy()
            blanked[at] = NO_ITEM
            assert np.linalg.norm(update(history) - update(blanked)) <= bound * 1.001

    check()

    def keeps(events: np.ndarray, length: int) -> np.ndarray:
        return np.where(events == NO_ITEM, 0, events).astype(np.int64).reshape(-1, length)

    planted.setattr(chunk_training, "disjoint_chunks", keeps)
    with pytest.raises(AssertionError):
        check()


def test_06_replace_one_of_the_library_is_used(planted: pytest.MonkeyPatch) -> None:
    events = [PoissonGaussianSum(0.1, 1.0, Unit.EVENT)] * 100

    def check() -> None:
        accountants._pld.cache_clear()
        accountants._losses.cache_clear()
        assert PLDAccountant().epsilon(events, delta=1e-5) == pytest.approx(7.05, rel=0.01)

    check()
    wrong = SimpleNamespace(ADD_OR_REMOVE_ONE=NeighboringRelation.REPLACE_ONE)
    planted.setattr(accountants, "NeighboringRelation", wrong)
    with pytest.raises(Exception):  # noqa: B017, PT011 - a wrong figure or the library's refusal both tell
        check()
    planted.undo()
    accountants._pld.cache_clear()
    accountants._losses.cache_clear()


def test_07_weighting_by_the_number_of_examples(planted: pytest.MonkeyPatch) -> None:
    """However much a person did, or says, the head moves by at most C over the expected cohort."""
    people = {0: _towards(0, 50.0), 1: _towards(1, 0.5)}

    def check() -> None:
        step = _Federation(people).round()
        assert step[:2] == pytest.approx([1 / 2, 0.5 / 2], rel=1e-5)

    check()
    planted.setattr(InterestStrategy, "_bounded", lambda _, update: update.values.astype(np.float64) * 10)
    with pytest.raises(AssertionError):
        check()


def test_08_delta_of_one_over_the_people(planted: pytest.MonkeyPatch) -> None:
    settings = RunSettings(privacy=PrivacySettings(delta=1e-2))

    def check() -> None:
        with pytest.raises(PenchantError, match="must be below"):
            federation.resolve_guarantee(settings, 100)

    check()
    planted.setattr(resolution, "checked_delta_for", lambda delta, **_: delta)
    with pytest.raises(pytest.fail.Exception):
        check()


def test_09_counts_travel_beside_the_update(planted: pytest.MonkeyPatch) -> None:
    layout = TensorLayout.shared(_model())

    def content() -> Any:
        return wire.update_content(layout, SummedUpdate(3, _towards(0)))

    def check() -> None:
        sent = content()
        assert {name: set(record) for name, record in sent.array_records.items()} == {
            "update": set(layout.names)
        }
        assert [dict(record) for record in sent.config_records.values()] == [{"round": 3}]
        assert not sent.metric_records

    check()
    honest = wire.update_content

    def chatty(*arguments: Any) -> Any:
        sent = honest(*arguments)
        sent.config_records["config"]["num-examples"] = 20
        return sent

    planted.setattr(wire, "update_content", chatty)
    with pytest.raises(AssertionError):
        check()


def test_10_a_second_run_costs_nothing(planted: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A search over settings trains on the same people again: one ledger, one budget for life."""
    event, budget = GaussianSum(4.65 / 20**0.5, Unit.USER), Budget(8.0, 1e-5)

    def check() -> None:
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        path.mkdir()
        with _ledger(path, "first") as first:
            _spend(first, 3, event, budget)
        with _ledger(path, "second") as second, pytest.raises(BudgetExceeded):
            _spend(second, 1, event, budget)

    check()
    planted.setattr(Charges, "spent", lambda *_: [])
    with pytest.raises(pytest.fail.Exception):
        check()


def test_11_noise_from_a_seeded_generator(planted: pytest.MonkeyPatch) -> None:
    total = clip.ClippedSum.empty(50, bound=1.0)

    def released() -> F64:
        np.random.seed(0)
        torch.manual_seed(0)
        random.seed(0)
        return mechanism.release(total, noise_multiplier=1.0, noise=noise.CryptographicNoise())

    def check() -> None:
        assert not np.isin(released(), released()).any()

    check()
    for seeded in (np.random.standard_normal, lambda size: torch.randn(size).numpy()):
        planted.setattr(noise.CryptographicNoise, "standard_normal", lambda _, size, draw=seeded: draw(size))
        with pytest.raises(AssertionError):
            check()


def test_11_the_lowest_bits_of_a_float_show_the_sum(planted: pytest.MonkeyPatch) -> None:
    total = clip.ClippedSum.empty(50, bound=1.0).plus(clip.clip(np.full(50, 1e-3, np.float32), bound=1.0))

    def check() -> None:
        released = mechanism.release(total, noise_multiplier=1.0, noise=noise.CryptographicNoise())
        assert not np.any(released % mechanism.grid_step(1.0))

    check()
    off_the_grid = SimpleNamespace(
        **{name: getattr(np, name) for name in ("isfinite", "abs")}, rint=lambda x: x
    )
    planted.setattr(mechanism, "np", off_the_grid)
    with pytest.raises(AssertionError):
        check()


def test_12_epsilons_of_rounds_are_added_up(planted: pytest.MonkeyPatch) -> None:
    events = [GaussianSum(10.77, Unit.USER)] * 60

    def check() -> None:
        assert PLDAccountant().epsilon(events, delta=1e-5) == pytest.approx(3.0, rel=1e-3)

    check()
    honest = PLDAccountant.epsilon

    def added(self: PLDAccountant, events: Sequence[PrivacyEvent], *, delta: float) -> float:
        return sum(honest(self, [event], delta=delta) for event in events)

    planted.setattr(PLDAccountant, "epsilon", added)
    with pytest.raises(AssertionError):
        check()


def test_12_renyi_orders_are_converted_wrongly(planted: pytest.MonkeyPatch) -> None:
    """Opacus' conversion is held against the exact price: never below it, and close."""
    events = [GaussianSum(4.65, Unit.USER)] * 60

    def check() -> None:
        accountants._rdp.cache_clear()
        exact = PLDAccountant().epsilon(events, delta=1e-5)
        assert exact <= RDPAccountant().epsilon(events, delta=1e-5) <= 1.12 * exact

    check()
    honest = OpacusRDP.get_epsilon

    def forgets_delta(self: Any, delta: float, alphas: Any) -> float:
        """Takes the Renyi divergence for epsilon, as if the conversion cost nothing."""
        return float(honest(self, 1 - 1e-9, alphas=alphas)) + 0 * delta

    with planted.context() as unconverted:
        unconverted.setattr(OpacusRDP, "get_epsilon", forgets_delta)
        with pytest.raises(AssertionError):
            check()
    planted.setattr(accountants, "RENYI_ORDERS", [2.0])  # one order, far from the best
    with pytest.raises(AssertionError):
        check()
    accountants._rdp.cache_clear()


def test_13_the_charge_comes_after_the_noise_or_the_noise_twice(planted: pytest.MonkeyPatch) -> None:
    def check() -> None:
        few = _Federation({0: _towards(0), 1: _towards(1)})
        few.round()
        assert few.log == ["charge", "noise", "persist"]
        assert few.noise.draws == 1

    check()
    honest = InterestStrategy._released

    def twice(self: InterestStrategy, total: F64, round_: int) -> F64:
        honest(self, total, round_)
        return honest(self, total, round_)

    with planted.context() as drawn_twice:
        drawn_twice.setattr(InterestStrategy, "_released", twice)
        with pytest.raises(AssertionError):
            check()

    def late(self: InterestStrategy, replies: Any, round_: int) -> Any:
        self._journal.charge(round_, self._guarantee.event, Draw([]))
        return folded(self, replies, round_)

    folded = InterestStrategy._fold
    planted.setattr(_Journal, "charge", lambda self, *_: self.log.append("noise"))
    planted.setattr(InterestStrategy, "_fold", late)
    with pytest.raises(AssertionError):
        check()


def test_14_buffers_are_uploaded_without_noise(planted: pytest.MonkeyPatch) -> None:
    model = _model()
    model.shared.register_buffer("running_mean", torch.zeros(3))
    model.shared.register_buffer("batches_seen", torch.zeros((), dtype=torch.int64))
    parameters = {name for name, _ in model.named_parameters()}

    def check() -> None:
        names = set(TensorLayout.shared(model).names)
        assert names
        assert names <= parameters
        assert all(name.startswith("shared.") for name in names)

    check()

    def everything(cls: type[TensorLayout], model: InterestModel, prefix: str) -> TensorLayout:
        return cls(tuple((n, tuple(t.shape)) for n, t in model.state_dict().items() if n.startswith(prefix)))

    planted.setattr(TensorLayout, "_under", classmethod(everything))
    with pytest.raises(AssertionError):
        check()


def test_15_the_quantile_of_an_adaptive_clip_costs_nothing(planted: pytest.MonkeyPatch) -> None:
    """What is charged for a round covers the noise that is really on the sum of updates and on that of votes."""
    _, votes = shared_out(4.65, share=0.1)
    following = QuantileClip(quantile=0.5, learning_rate=0.2, noise_multiplier=votes)

    def check() -> None:
        promised = Guarantee(Unit.USER, NoiseAt.SERVER, 1.0, 4.65, following=following)
        released = [
            GaussianSum(promised.server_noise_multiplier, Unit.USER),
            GaussianSum(following.noise_multiplier, Unit.USER),
        ]
        assert promised.event
        charged = PLDAccountant().epsilon([promised.event] * 60, delta=1e-5)
        assert PLDAccountant().epsilon(released * 60, delta=1e-5) == pytest.approx(charged, rel=1e-3)

    check()
    planted.setattr(QuantileClip, "left_of", lambda _, noise_multiplier: noise_multiplier)
    with pytest.raises(AssertionError):
        check()


def test_16_clip_after_averaging(planted: pytest.MonkeyPatch) -> None:
    """One person's update is a thousand times too long: the head moves as if it were of length C."""
    with_outlier = {0: _towards(0, 1000.0), 1: _towards(1, 0.2)}
    without = {0: _towards(0, 0.0), 1: _towards(1, 0.2)}

    def check() -> None:
        moved = _Federation(with_outlier).round() - _Federation(without).round()
        assert np.linalg.norm(moved) <= 1.0 / 2 * (1 + 1e-6)
        assert moved[1] == pytest.approx(0, abs=1e-6)

    check()

    def clips_the_sum(_: InterestStrategy, total: F64, *__: int) -> F64:
        return np.asarray(clip.clip(total.astype(np.float32), bound=2.0).values[0], np.float64)

    planted.setattr(InterestStrategy, "_bounded", lambda _, update: update.values.astype(np.float64))
    planted.setattr(InterestStrategy, "_released", clips_the_sum)
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_16_a_clip_that_lets_nan_through(planted: pytest.MonkeyPatch, poison: float) -> None:
    def check() -> None:
        with pytest.raises(PenchantError, match="NaN or Inf"):
            clip.clip(_towards(0, poison), bound=1.0)

    check()
    honest = clip._norms
    planted.setattr(clip, "_norms", lambda rows: np.nan_to_num(honest(rows), nan=0.0, posinf=1.0))
    with pytest.raises(pytest.fail.Exception):
        check()


def test_16_a_zero_update_divides_by_zero(planted: pytest.MonkeyPatch) -> None:
    def check() -> None:
        step = _Federation({0: _towards(0, 0.0), 1: _towards(1, 0.5)}).round()
        assert step[:2] == pytest.approx([0, 0.25])

    check()

    def divides(updates: F32, *, bound: float) -> Any:
        norm = np.float64(np.linalg.norm(updates))
        with np.errstate(all="ignore"):
            return SimpleNamespace(values=np.atleast_2d(updates * (np.minimum(norm, bound) / norm)))

    planted.setattr(strategy_module, "clip", divides)
    with pytest.raises(CAUGHT):
        check()


def test_17_the_epsilon_of_one_interaction_quoted_for_a_person(planted: pytest.MonkeyPatch) -> None:
    """What the report prints beside it for somebody with twenty: more than twenty times as much."""
    events: list[PrivacyEvent] = [GaussianSum(8.0, Unit.EVENT)] * 10

    def check() -> None:
        alone = PLDAccountant().epsilon(events, delta=1e-5)
        told = {row["interactions"]: row["epsilon"] for row in several_interactions(events, 1e-5)}
        assert told[1] == alone
        assert told[20] > 20 * alone

    check()
    planted.setattr(group, "as_group", lambda event, _: event)
    with pytest.raises(AssertionError):
        check()


def test_18_the_textbook_noise_above_epsilon_one(planted: pytest.MonkeyPatch) -> None:
    def check() -> None:
        mu = calibrate.gaussian_loss_for(20.0, delta=1e-5)
        assert calibrate.gaussian_delta(mu, epsilon=20.0) <= 1e-5 * (1 + 1e-6)

    check()
    textbook: Callable[..., float] = lambda epsilon, delta: epsilon / math.sqrt(2 * math.log(1.25 / delta))  # noqa: E731
    planted.setattr(calibrate, "gaussian_loss_for", textbook)
    with pytest.raises(AssertionError):
        check()


def test_19_less_noise_where_fewer_answer(planted: pytest.MonkeyPatch) -> None:
    """Two of four answer: the noise on the sum is that of the guarantee all the same."""
    people = {0: _towards(0, 0.0), 1: _towards(0, 0.0), 2: None, 3: None}

    def check() -> None:
        step = _Federation(people, noise=_Noise(1.0)).round()
        assert step * 4 == pytest.approx(2.0, rel=2e-3)

    check()
    honest = mechanism.release
    planted.setattr(
        strategy_module,
        "release",
        lambda total, *, noise_multiplier, noise: honest(
            total, noise_multiplier=noise_multiplier / 2, noise=noise
        ),
    )
    with pytest.raises(AssertionError):
        check()
