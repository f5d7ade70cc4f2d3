"""The round: everyone weighs the same, the charge comes first, and no client can stop or steer it."""

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Context, Error, Message, MetricRecord
from flwr.clientapp import ClientApp
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.config import FederationSettings, ModelSettings, OptimizerSettings
from penchant.errors import BadInput, BudgetExceeded
from penchant.interest import InterestModel, TensorLayout
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.privacy.noise import NoiseSource, ReproducibleNoise
from penchant.simulation.grid import LocalGrid
from penchant.simulation.roster import HostedPeople, PeopleAsNodes, node_of, person_of
from penchant.strategies import (
    Draw,
    Guarantee,
    HeadState,
    InterestStrategy,
    Roster,
    RoundAborted,
    RoundSummary,
    draw_cohort,
    expected_cohort,
)
from penchant.strategies.cohort import poisson_rate
from penchant.strategies.wire import SummedUpdate, arrays, read_request, update_content
from penchant.types import F32, F64, NoiseAt, Sampling, Unit

VECTORS = np.random.default_rng(0).normal(size=(12, 6)).astype(np.float32)
LAYOUT = TensorLayout.shared(InterestModel(VECTORS, ModelSettings(width=4), seed=0))
PLAIN = OptimizerSettings(name="fedavg", learning_rate=1.0, schedule="constant", momentum=0.0)
CLIP = 0.5
NONE = Guarantee(Unit.NONE, NoiseAt.SERVER, CLIP, 0.0)
USER = Guarantee(Unit.USER, NoiseAt.SERVER, CLIP, 2.0)

Answer = Callable[[int, int], F32]
"""Person, round -> the update that this person sends."""


def _towards(person: int, length: float = 1.0) -> F32:
    update: F32 = np.zeros(LAYOUT.size, np.float32)
    update[person] = length
    return update


class Silence:
    """Noise that is none: shows what would be released."""

    protects = False

    def standard_normal(self, size: int) -> F64:
        return np.zeros(size)


@dataclass
class Log:
    """A journal that remembers the order of things."""

    steps: list[str] = field(default_factory=list)
    events: list[PrivacyEvent | None] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)
    summaries: list[RoundSummary] = field(default_factory=list)
    budget: int = 1_000

    def charge(self, round_: int, event: PrivacyEvent | None, draw: Draw) -> None:
        self.draws.append(draw)
        if round_ > self.budget:
            raise BudgetExceeded("spent")
        self.steps.append(f"charge {round_}")
        self.events.append(event)

    def persist(self, state: HeadState, summary: RoundSummary) -> None:
        assert state.round == summary.round
        self.steps.append(f"persist {summary.round}")
        self.summaries.append(summary)


class Tampered(LocalGrid):
    """Replies may be lost, repeated or spoiled on the way."""

    tamper: Callable[[Iterator[Message]], Iterable[Message]] = staticmethod(lambda replies: replies)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterator[Message]:
        yield from self.tamper(super().pull_messages(message_ids))


class Federation:
    """People who answer as they are told, and a strategy that has never heard of them."""

    def __init__(
        self, answer: Answer, *, people: int = 4, guarantee: Guarantee = NONE, **changes: Any
    ) -> None:
        self.log = Log()
        self._answer = answer
        app = ClientApp()
        app.train()(self._train)
        roster: Roster = changes.pop("roster", PeopleAsNodes(people))
        self.grid = Tampered(app, [node_of(person) for person in range(people)])
        terms: dict[str, Any] = {
            "state": HeadState.initial(np.zeros(LAYOUT.size, np.float32)),
            "layout": LAYOUT,
            "roster": roster,
            "population": people,
            "federation": FederationSettings(rounds=10),
            "optimizer": PLAIN,
            "guarantee": guarantee,
            "noise": lambda _: Silence(),
            "secret_sampling": False,
            "journal": self.log,
            "seed": 0,
        }
        self.strategy = InterestStrategy(**{**terms, **changes})

    def _train(self, message: Message, context: Context) -> Message:
        person, request = person_of(context.node_id), read_request(LAYOUT, message)
        self.log.steps.append(f"ask {person}")
        update = self._answer(person, request.round)
        return Message(update_content(LAYOUT, SummedUpdate(request.round, update)), reply_to=message)

    def run(self, rounds: int = 1) -> F32:
        """The head after some rounds, from zero."""
        self.strategy.start(self.grid, arrays(LAYOUT, self.strategy.state.head), num_rounds=rounds)
        return self.strategy.state.head

    @property
    def summary(self) -> RoundSummary:
        return self.log.summaries[-1]


def _drop(*people: int) -> Callable[[Iterator[Message]], Iterator[Message]]:
    def tamper(replies: Iterator[Message]) -> Iterator[Message]:
        return (r for r in replies if person_of(r.metadata.src_node_id) not in people)

    return tamper


def test_everyone_weighs_the_same_and_the_mean_is_the_step() -> None:
    head = Federation(lambda person, _: _towards(person, person + 1.0)).run()
    assert head[:5] == pytest.approx([1 / 4, 2 / 4, 3 / 4, 4 / 4, 0])


def test_the_denominator_is_the_expected_cohort_when_clients_drop_out() -> None:
    federation = Federation(lambda person, _: _towards(person))
    federation.grid.tamper = _drop(2, 3)
    assert federation.run()[:4] == pytest.approx([1 / 4, 1 / 4, 0, 0])
    assert (federation.summary.invited, federation.summary.admitted) == (4, 2)


def test_an_update_longer_than_the_bound_is_clipped_and_counted() -> None:
    """Honest devices clip before they send, and are never counted."""
    honest = Federation(lambda person, _: _towards(person, CLIP), guarantee=USER)
    assert honest.run()[:4] == pytest.approx([CLIP / 4] * 4)
    assert honest.summary.clipped == 0
    federation = Federation(lambda person, _: _towards(person, 100.0 if person else CLIP), guarantee=USER)
    assert federation.run()[:4] == pytest.approx([CLIP / 4] * 4)
    assert (federation.summary.admitted, federation.summary.clipped) == (4, 3)


def test_an_empty_secret_sample_is_no_reason_to_abort() -> None:
    federation = Federation(
        lambda person, _: _towards(person),
        guarantee=replace(USER, poisson_rate=0.25),
        roster=PeopleAsNodes(0),
        federation=FederationSettings(sampling=Sampling.POISSON, cohort=1, min_replies=1.0),
    )
    federation.run()
    assert (federation.summary.invited, federation.summary.admitted) == (0, 0)


@given(present=st.sets(st.integers(0, 7), min_size=1))
@settings(max_examples=15, deadline=None)
def test_an_absent_person_takes_away_their_own_share_and_changes_no_other(present: set[int]) -> None:
    federation = Federation(
        lambda person, _: _towards(person), people=8, federation=FederationSettings(min_replies=0)
    )
    federation.grid.tamper = _drop(*set(range(8)) - present)
    assert federation.run()[:8] == pytest.approx([(p in present) / 8 for p in range(8)])


def test_the_population_is_the_denominator_whoever_can_be_reached() -> None:
    federation = Federation(lambda person, _: _towards(person), population=1_000)
    assert federation.run()[:4] == pytest.approx([1e-3] * 4)


def test_updates_are_folded_one_at_a_time() -> None:
    """Before a client is asked, the update of the one before is gone."""
    federation = Federation(lambda person, _: _towards(person), people=6)
    alive: list[int] = []
    records: list[weakref.ref[ArrayRecord]] = []

    def watched(replies: Iterator[Message]) -> Iterator[Message]:
        for reply in replies:
            records.append(weakref.ref(reply.content.array_records["update"]))
            yield reply
            del reply
            gc.collect()
            alive.append(sum(record() is not None for record in records))

    federation.grid.tamper = watched
    federation.run()
    assert len(alive) == 6
    assert max(alive) <= 1
    assert federation.log.steps == ["charge 1", *(f"ask {person}" for person in range(6)), "persist 1"]


def test_a_duplicate_reply_counts_once() -> None:
    federation = Federation(lambda person, _: _towards(person))
    federation.grid.tamper = lambda replies: (copy for reply in replies for copy in (reply, reply, reply))
    assert federation.run()[:4] == pytest.approx([1 / 4] * 4)
    assert federation.summary.admitted == 4
    assert len(federation.summary.refused) == 8


def test_a_reply_that_is_replayed_in_a_later_round_is_refused() -> None:
    federation = Federation(lambda person, _: _towards(person))
    kept: list[Message] = []

    def replay(replies: Iterator[Message]) -> Iterator[Message]:
        fresh = list(replies)
        yield from [*kept, *fresh]
        kept.extend(fresh)

    federation.grid.tamper = replay
    assert federation.run(rounds=2)[:4] == pytest.approx([2 / 4] * 4)
    assert federation.summary.admitted == 4
    assert len(federation.summary.refused) == 4


def _misshapen(reply: Message) -> None:
    reply.content["update"] = ArrayRecord()


def _poisoned(reply: Message) -> None:
    reply.content["update"] = arrays(LAYOUT, np.full(LAYOUT.size, np.nan, np.float32))


def _of_many(reply: Message) -> None:
    reply.content.config_records["config"]["people"] = 1_000


def _of_another_round(reply: Message) -> None:
    reply.content.config_records["config"]["round"] = 7


def _talkative(reply: Message) -> None:
    reply.content["metrics"] = MetricRecord({"num-examples": 10**18})


def _unknown(reply: Message) -> None:
    reply.metadata.__dict__["_src_node_id"] = 99


@pytest.mark.parametrize(
    "spoil",
    [_misshapen, _poisoned, _of_many, _of_another_round, _talkative, _unknown],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("guarantee", [NONE, USER], ids=["none", "user"])
def test_one_bad_client_is_refused_and_the_round_goes_on(
    spoil: Callable[[Message], None], guarantee: Guarantee
) -> None:
    federation = Federation(lambda person, _: _towards(person, CLIP / 2), guarantee=guarantee)

    def tamper(replies: Iterator[Message]) -> Iterator[Message]:
        for reply in replies:
            if person_of(reply.metadata.src_node_id) == 1:
                spoil(reply)
            yield reply

    federation.grid.tamper = tamper
    head = federation.run()
    share = CLIP / 2 / 4
    assert head[:4] == pytest.approx([share, 0, share, share], abs=1e-6)
    assert federation.summary.admitted == 3
    assert len(federation.summary.refused) == 1


def test_a_client_that_answers_with_an_error_is_left_out() -> None:
    federation = Federation(lambda person, _: _towards(person))

    def tamper(replies: Iterator[Message]) -> Iterator[Message]:
        for reply in replies:
            failed = person_of(reply.metadata.src_node_id) == 0
            yield Message(Error(1, "out of battery"), reply_to=reply) if failed else reply

    federation.grid.tamper = tamper
    assert federation.run()[:4] == pytest.approx([0, 1 / 4, 1 / 4, 1 / 4])
    assert federation.summary.refused == ("out of battery",)


def test_below_min_replies_nothing_is_released_and_nothing_persisted() -> None:
    federation = Federation(
        lambda person, _: _towards(person), federation=FederationSettings(min_replies=0.5)
    )
    before = federation.strategy.state
    federation.grid.tamper = _drop(1, 2, 3)
    with pytest.raises(RoundAborted, match="1 of 4"):
        federation.run()
    assert federation.strategy.state is before
    assert federation.log.steps == ["charge 1", *(f"ask {person}" for person in range(4))]


def test_at_min_replies_the_round_is_released() -> None:
    federation = Federation(
        lambda person, _: _towards(person), federation=FederationSettings(min_replies=0.5)
    )
    federation.grid.tamper = _drop(1, 2)
    assert federation.run().any()


def test_an_update_far_above_the_bound_is_clipped_again_by_the_server() -> None:
    long = {0: 1e6, 1: CLIP, 2: CLIP / 2, 3: 0.0}
    head = Federation(lambda person, _: _towards(person, long[person]), guarantee=USER).run()
    assert head[:4] == pytest.approx([CLIP / 4, CLIP / 4, CLIP / 8, 0], rel=1e-5)


@given(lengths=st.lists(st.floats(0, 2.0**99, width=32), min_size=4, max_size=4))
@settings(max_examples=30, deadline=None)
def test_one_person_moves_the_head_by_at_most_the_bound_over_the_cohort(lengths: list[float]) -> None:
    others = Federation(lambda person, _: _towards(person, lengths[person]), guarantee=USER)
    moved = others.run().copy()
    without = Federation(
        lambda person, _: _towards(person, lengths[person] if person else 0.0), guarantee=USER
    ).run()
    assert np.linalg.norm((moved - without).astype(np.float64)) <= CLIP / 4 * (1 + 1e-5)


def _hosting(length: float) -> F32:
    """The head after a node that hosts four people answers with a sum of a given length."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        people = len(read_request(LAYOUT, message).people)
        return Message(update_content(LAYOUT, SummedUpdate(1, _towards(0, length), people)), reply_to=message)

    hosted = HostedPeople(4)
    federation = Federation(
        lambda *_: _towards(0), guarantee=USER, roster=hosted, federation=FederationSettings(min_replies=0)
    )
    federation.grid = Tampered(app, list(hosted.nodes(hosted.people())))
    return federation.run()


def test_a_sum_over_many_people_is_held_against_its_largest_norm() -> None:
    assert _hosting(4 * CLIP)[0] == pytest.approx(CLIP)
    assert not _hosting(4 * CLIP * 1.01).any()


def test_the_charge_comes_before_anyone_is_asked_and_the_head_is_kept_before_it_is_sent() -> None:
    federation = Federation(lambda person, _: _towards(person), people=2, guarantee=USER)
    federation.run(rounds=2)
    one_round = ["charge {0}", "ask 0", "ask 1", "persist {0}"]
    assert federation.log.steps == [step.format(round_) for round_ in (1, 2) for step in one_round]
    assert federation.log.events == [GaussianSum(2.0, Unit.USER)] * 2


def test_a_round_that_may_not_be_paid_for_asks_nobody() -> None:
    federation = Federation(lambda person, _: _towards(person), people=2, guarantee=USER)
    federation.log.budget = 1
    with pytest.raises(BudgetExceeded):
        federation.run(rounds=2)
    assert federation.log.steps == ["charge 1", "ask 0", "ask 1", "persist 1"]


POISSON = FederationSettings(sampling=Sampling.POISSON, cohort=1)


def _nobody_drawn(noise: Callable[[int], NoiseSource]) -> Federation:
    return Federation(
        lambda person, _: _towards(person),
        guarantee=replace(USER, poisson_rate=1e-3),
        population=1_000,
        roster=PeopleAsNodes(0),
        federation=POISSON,
        noise=noise,
    )


def test_an_empty_poisson_cohort_is_a_round_of_noise_alone_and_charged() -> None:
    federation = _nobody_drawn(lambda _: ReproducibleNoise(0))
    head = federation.run()
    assert federation.log.steps == ["charge 1", "persist 1"]
    assert federation.log.events == [PoissonGaussianSum(1e-3, 2.0, Unit.USER)]
    assert federation.summary.admitted == federation.summary.invited == 0
    assert np.all(head != 0)
    assert np.std(head) == pytest.approx(2.0 * CLIP, rel=0.5)


def test_each_round_draws_its_own_noise_once() -> None:
    asked: list[int] = []

    def noise(round_: int) -> ReproducibleNoise:
        asked.append(round_)
        return ReproducibleNoise(0, round_)

    federation = _nobody_drawn(noise)
    first = federation.run().copy()
    second = federation.run() - first
    assert asked == [1, 2]
    assert not np.allclose(first, second)


def test_the_noise_has_the_deviation_that_was_charged() -> None:
    draws = [_nobody_drawn(partial(ReproducibleNoise, seed)).run() for seed in range(40)]
    assert np.std(draws) == pytest.approx(2.0 * CLIP / 1, rel=0.06)


@pytest.mark.parametrize("secret", [True, False])
def test_the_poisson_rate_is_public_and_does_not_move_with_who_is_there(secret: bool) -> None:
    terms = FederationSettings(sampling=Sampling.POISSON, cohort=100)
    drawn = [
        len(draw_cohort(range(200), terms, population=400, seed=1, round_=r, secret=secret).people)
        for r in range(200)
    ]
    assert poisson_rate(400, terms) == 0.25
    assert expected_cohort(400, terms) == 100
    assert np.mean(drawn) == pytest.approx(50, abs=3)  # 200 present * 100 / 400; deviation of the mean 0.43
    assert 20 < np.var(drawn) < 60  # binomial: 37.5; a cohort of a fixed size has 0


def test_a_secret_cohort_does_not_follow_from_the_seed() -> None:
    terms = FederationSettings(sampling=Sampling.POISSON, cohort=100)
    secret = [draw_cohort(range(200), terms, population=200, seed=1, round_=1, secret=True) for _ in range(2)]
    public = [
        draw_cohort(range(200), terms, population=200, seed=1, round_=1, secret=False) for _ in range(2)
    ]
    assert secret[0] != secret[1]
    assert public[0] == public[1]


def test_a_poisson_cohort_of_everyone_is_refused() -> None:
    with pytest.raises(BadInput, match="sampling all"):
        poisson_rate(100, FederationSettings(sampling=Sampling.POISSON, cohort=100))


def test_a_fixed_cohort_claims_no_amplification() -> None:
    terms = FederationSettings(sampling=Sampling.FIXED, cohort=2)
    federation = Federation(lambda person, _: _towards(person), guarantee=USER, federation=terms)
    head = federation.run()
    assert federation.log.events == [GaussianSum(2.0, Unit.USER)]
    assert sorted(head[:4]) == pytest.approx([0, 0, CLIP / 2, CLIP / 2], rel=1e-5)


def test_evaluation_asks_no_client() -> None:
    strategy = Federation(lambda person, _: _towards(person)).strategy
    assert list(strategy.configure_evaluate(1, ArrayRecord(), Any, Any)) == []  # type: ignore[arg-type]
    assert strategy.aggregate_evaluate(1, []) is None
