"""The strategy: admits, clips, sums, noises and steps; the ledger is charged before any of it is released."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from penchant.config import FederationSettings, OptimizerSettings
from penchant.errors import PenchantError
from penchant.interest import TensorLayout
from penchant.privacy.adaptive_clip import no_votes, votes_of
from penchant.privacy.banded import BandedNoise
from penchant.privacy.clip import ClippedSum, ClippedUpdates, clip, was_clipped
from penchant.privacy.events import PrivacyEvent
from penchant.privacy.mechanism import release
from penchant.privacy.noise import CryptographicNoise, NoiseSource
from penchant.strategies.cohort import Draw, Roster, draw_cohort, expected_cohort
from penchant.strategies.guarantee import Guarantee
from penchant.strategies.optimizers import HeadState, step
from penchant.strategies.wire import (
    Refused,
    SummedUpdate,
    TrainRequest,
    arrays,
    bytes_of,
    read_update,
    request_content,
)
from penchant.types import F64, Unit

_MARGIN: Final = 1e-6
"""By which a clipped update may differ from the bound, in float32."""


class RoundAborted(PenchantError):
    """Too few clients answered; nothing was released."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """What one round did. Counts of people are known to the server by its own sampling, not told by clients.

    clipped: updates longer than the clip bound although whoever sent them should have clipped: the server did.
    bytes_up, bytes_down: of tensors, as if each person were a node of their own, however an engine bundles them.
    """

    round: int
    invited: int
    admitted: int
    refused: tuple[str, ...]
    clipped: int
    bytes_up: int
    bytes_down: int
    update_norm: float


class Journal(Protocol):
    """Makes rounds durable, in the order that never under-counts: charge, then persist, then publish."""

    def charge(self, round_: int, event: PrivacyEvent | None, draw: Draw) -> None:
        """Reserve the round's cost before clients are asked. Raises: BudgetExceeded, and then nothing has happened.

        draw: who takes part, and so pays; and what an amplified event rests on.
        """
        ...

    def persist(self, state: HeadState, summary: RoundSummary) -> None:
        """Make the next head durable and mark it released; only then may it be sent to anyone."""
        ...


class InterestStrategy(Strategy):
    """Federated averaging of the head with equal weights, the expected cohort as denominator, and folded sums."""

    def __init__(
        self,
        *,
        state: HeadState,
        layout: TensorLayout,
        roster: Roster,
        population: int,
        federation: FederationSettings,
        optimizer: OptimizerSettings,
        guarantee: Guarantee,
        noise: Callable[[int], NoiseSource],
        secret_sampling: bool,
        journal: Journal,
        seed: int,
        votes_noise: Callable[[int], NoiseSource] = lambda _: CryptographicNoise(),
        solvent: Callable[[int, PrivacyEvent | None, Draw], Draw] = lambda round_, event, draw: draw,
    ) -> None:
        """Start, or go on, from `state`.

        population: how many people the federation is for, a public number.
        noise: round -> its source of noise, asked once a round.  votes_noise: the same for the clip bound's votes.
        solvent: leaves out of a draw whoever cannot pay for it any more; it may look at nothing but what was spent.
        """
        self.state = state
        self.layout = layout
        self._roster = roster
        self._population = population
        self._federation = federation
        self._optimizer = optimizer
        self._guarantee = guarantee
        self._noise = BandedNoise(noise, band=guarantee.band) if guarantee.band > 1 else noise
        self._votes_noise = votes_noise
        self._votes = no_votes()
        self._solvent = solvent
        self._secret_sampling = secret_sampling
        self._journal = journal
        self._seed = seed
        self._expected = expected_cohort(population, federation)
        self._invited = 0
        self._clipped = 0
        self._asked: dict[int, int] = {}
        self._bytes_down = 0

    def summary(self) -> None:
        """Nothing to log: the run directory holds every setting."""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Draw the round's people, charge what the draw shows, and address one message to each node that hosts any."""
        del server_round, arrays, config, grid  # a resumed run counts on from its own state
        round_ = self.state.round + 1
        draw = draw_cohort(
            self._roster.people(),
            self._federation,
            population=self._population,
            seed=self._seed,
            round_=round_,
            secret=self._secret_sampling,
        )
        event = self._guarantee.event_of(draw)
        draw = self._solvent(round_, event, draw)
        self._journal.charge(round_, event, draw)
        self._invited = len(draw.people)
        self._bytes_down = 0
        hosts = self._roster.nodes(draw.people)
        self._asked = {node: max(1, len(hosted)) for node, hosted in hosts.items()}
        return [self._message(node, hosted, round_) for node, hosted in hosts.items()]

    def _message(self, node: int, hosted: tuple[int, ...], round_: int) -> Message:
        content = request_content(self.layout, self._request(hosted, round_))
        self._bytes_down += bytes_of(content) * max(1, len(hosted))
        return Message(content, dst_node_id=node, message_type=MessageType.TRAIN)

    def _request(self, hosted: tuple[int, ...], round_: int) -> TrainRequest:
        told = None if self._guarantee.following is None else self._clip_bound
        return TrainRequest(round_, self.state.head, hosted, told)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Fold the admitted updates, add the noise, step, and make the result durable before returning it."""
        del server_round
        round_ = self.state.round + 1
        self._clipped = 0
        total, admitted, refused, bytes_up = self._fold(replies, round_)
        if admitted < self._federation.min_replies * self._invited:
            raise RoundAborted(
                f"round {round_}: {admitted} of {self._invited} clients answered, fewer than the share "
                f"{self._federation.min_replies} that `min_replies` asks for; nothing was released"
            )
        mean = self._released(total, round_) / self._expected
        bound = self._next_bound(round_)
        stepped = step(self.state, mean.astype(np.float32), self._optimizer, rounds=self._federation.rounds)
        self.state = replace(stepped, clip_bound=bound)
        norm = float(np.linalg.norm(mean))
        summary = RoundSummary(
            round_, self._invited, admitted, tuple(refused), self._clipped, bytes_up, self._bytes_down, norm
        )
        self._journal.persist(self.state, summary)
        return arrays(self.layout, self.state.head), None

    def _fold(self, replies: Iterable[Message], round_: int) -> tuple[F64, int, list[str], int]:
        total, self._votes = np.zeros(self.layout.size), no_votes()
        admitted, bytes_up, refused, answered = 0, 0, [], set[int]()
        for reply in replies:
            if reply.has_error():
                refused.append(reply.error.reason or "an error without a reason")
                continue
            try:
                update = self._admitted(reply, answered, round_)
                bounded, vote = self._bounded(update), self._vote(update)
                total += bounded
                self._votes = self._votes.plus(vote)
            except PenchantError as error:
                refused.append(str(error))
                continue
            answered.add(reply.metadata.src_node_id)
            admitted += update.people
            bytes_up += bytes_of(reply.content) * update.people
        return total, admitted, refused, bytes_up

    def _admitted(self, reply: Message, answered: set[int], round_: int) -> SummedUpdate:
        """An update that was asked for, once, of no more people than were asked: some of a node's may be away.

        How many came changes nothing but the count: the mean is over the expected cohort.
        """
        node = reply.metadata.src_node_id
        if node not in self._asked:
            raise Refused("an update from a node that was not asked")
        if node in answered:
            raise Refused("a second update from one client in one round")
        update = read_update(self.layout, reply, round_=round_)
        if update.people > self._asked[node]:
            raise Refused(f"an update sums {update.people} people where {self._asked[node]} were asked")
        return update

    def _bounded(self, update: SummedUpdate) -> F64:
        """The server clips what it will noise; a sum over several people can only be held against its largest norm."""
        values: F64 = update.values.astype(np.float64)
        if not (self._guarantee.unit is Unit.USER and self._guarantee.server_noise):
            return values
        bound = self._clip_bound
        if update.people == 1:
            self._clipped += len(was_clipped(update.values, bound=bound))
            clipped: F64 = clip(update.values, bound=bound).values[0].astype(np.float64)
            return clipped
        if np.linalg.norm(values) > update.people * bound * (1 + _MARGIN):
            raise Refused(
                f"a sum over {update.people} people is longer than {update.people} times the clip bound"
            )
        return values

    def _released(self, total: F64, round_: int) -> F64:
        if not self._guarantee.server_noise:
            return total
        return release(
            ClippedSum(total, self._clip_bound),
            noise_multiplier=self._guarantee.server_noise_multiplier,
            noise=self._noise(round_),
        )

    @property
    def _clip_bound(self) -> float:
        return self.state.clip_bound or self._guarantee.clip_bound

    def _vote(self, update: SummedUpdate) -> ClippedUpdates:
        """Whose update lay within the bound: seen by one person's norm, told by a node that hosts several."""
        if self._guarantee.following is None:
            return votes_of(within=0, people=0)
        if update.people == 1:
            norm = np.linalg.norm(update.values.astype(np.float64))
            return votes_of(within=int(norm < self._clip_bound * (1 - _MARGIN)), people=1)
        if update.within is None:
            raise Refused(
                f"a sum over {update.people} people that does not say how many lie within the bound"
            )
        return votes_of(within=update.within, people=update.people)

    def _next_bound(self, round_: int) -> float | None:
        """The next round's clip bound, where it follows the updates; its release was charged with the update's."""
        following = self._guarantee.following
        if following is None:
            return None
        noise = self._votes_noise(round_)
        return following.next_bound(self._clip_bound, self._votes, expected=self._expected, noise=noise)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Nothing: a metric is a release. A simulation measures outside the protocol."""
        del server_round, arrays, config, grid
        return []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Nothing to aggregate."""
        del server_round, replies
        return None
