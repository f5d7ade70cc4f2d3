"""Counts of items, pairs and votes as releases of their own, before any round of training: each one federated sum.

The same strategy as for heads, with counts in the head's place: admitted, held to their bound, summed, noised, divided
by the expected cohort, and charged before any of it exists. Everybody takes part, so nothing is amplified.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
from flwr.app import Message, MessageType

from penchant.config import CompanySettings, FederationSettings, OptimizerSettings
from penchant.interest import TensorLayout
from penchant.interest.company import Company
from penchant.interest.counting import ITEM_BOUND, Chosen, Counts, n_pairs, pair_bound
from penchant.interest.gate import CANDIDATES, Gate, learned
from penchant.interest.lift import Reading
from penchant.interest.voting import vote_bound
from penchant.privacy.noise import NoiseSource
from penchant.strategies.cohort import Roster
from penchant.strategies.guarantee import Guarantee
from penchant.strategies.interest import InterestStrategy, Journal
from penchant.strategies.optimizers import HeadState
from penchant.strategies.wire import TrainRequest, bytes_of, request_content
from penchant.types import F32, F64, Unit

_THE_MEAN_ITSELF: Final = OptimizerSettings(learning_rate=1.0, schedule="constant", momentum=0.0)


class What(StrEnum):
    """What is counted: also the release's purpose in the ledger, and the message's action."""

    ITEMS = "items"
    PAIRS = "pairs"
    VOTES = "votes"


def bound_of(what: What, settings: CompanySettings, unit: Unit) -> float:
    """The L2 norm by which one protected unit moves a count, at most."""
    if what is What.VOTES:
        return vote_bound(unit)
    return ITEM_BOUND if what is What.ITEMS else pair_bound(settings, unit)


def asked(settings: CompanySettings) -> dict[What, float]:
    """What is counted, and its share of what the counts may cost."""
    counts, votes = 1 - settings.gate_share, settings.gate_share
    shares = {
        What.ITEMS: counts * settings.popularity_share,
        What.PAIRS: counts * (1 - settings.popularity_share),
        What.VOTES: votes,
    }
    return {what: share for what, share in shares.items() if share > 0}


@dataclass(frozen=True, slots=True)
class CountingTerms:
    """What server and clients agree on.

    guarantees: of each release, in the order of `What`; each rests on those before. Votes may be missing.
    """

    settings: CompanySettings
    n_items: int
    guarantees: Mapping[What, Guarantee]

    def guarantee(self, what: What) -> Guarantee:
        return self.guarantees[what]

    def noise(self, what: What) -> float:
        """Standard deviation of the noise in a count."""
        guarantee = self.guarantee(what)
        return guarantee.noise_multiplier * guarantee.clip_bound

    def layout(self, what: What) -> TensorLayout:
        """What a client sends."""
        return TensorLayout(((f"shared.{what}", (self._sizes[what],)),))

    def told(self, what: What) -> TensorLayout:
        """What a client is told: what was released before."""
        before = [earlier for earlier in What if list(What).index(earlier) < list(What).index(what)]
        return TensorLayout(tuple((f"shared.{one}", (self._sizes[one],)) for one in before))

    def chosen(self, items: F32) -> Chosen:
        """Whose pairs are counted, by released item counts."""
        return Chosen.of(items.astype(np.float64), self.settings, floor=self.counts(items).floor)

    def counts(self, released: F32) -> Counts:
        """released: float32[n_items or n_items + n_pairs], item counts, and pair counts behind them once there are."""
        items, pairs = np.split(released.astype(np.float64), [self.n_items])
        return Counts(items, pairs, self.noise(What.ITEMS), self.noise(What.PAIRS))

    @property
    def _sizes(self) -> dict[What, int]:
        pairs = n_pairs(min(self.settings.items, self.n_items), ordered=self.settings.ordered)
        return {What.ITEMS: self.n_items, What.PAIRS: pairs, What.VOTES: len(CANDIDATES)}


class CountingStrategy(InterestStrategy):
    """One round that counts."""

    def __init__(
        self,
        terms: CountingTerms,
        what: What,
        told: F32,
        *,
        roster: Roster,
        population: int,
        federation: FederationSettings,
        noise: Callable[[], NoiseSource],
        journal: Journal,
    ) -> None:
        """told: float32, what was released before.  federation: deadline and least share of replies."""
        layout = terms.layout(what)
        super().__init__(
            state=HeadState.initial(np.zeros(layout.size, np.float32)),
            layout=layout,
            roster=roster,
            population=population,
            federation=FederationSettings(
                rounds=1,
                min_replies=federation.min_replies,
                round_deadline_seconds=federation.round_deadline_seconds,
            ),
            optimizer=_THE_MEAN_ITSELF,
            guarantee=terms.guarantee(what),
            noise=lambda _: noise(),
            secret_sampling=False,
            journal=journal,
            seed=0,
        )
        self._terms, self._what, self._told = terms, what, told

    def _message(self, node: int, hosted: tuple[int, ...], round_: int) -> Message:
        content = request_content(self._terms.told(self._what), TrainRequest(round_, self._told, hosted))
        self._bytes_down += bytes_of(content) * max(1, len(hosted))
        return Message(content, dst_node_id=node, message_type=f"{MessageType.TRAIN}.{self._what}")


def told_of(released: Mapping[What, F32]) -> F32:
    """What clients are told of that: one count after the other."""
    return np.concatenate([np.empty(0, np.float32), *released.values()])


def concluded(
    terms: CountingTerms, released: Mapping[What, F32], read: Callable[[Counts], Reading]
) -> Company:
    """What released counts let conclude: post-processing, free of privacy. read: in the light of the catalogue."""
    company = read(terms.counts(np.concatenate([released[What.ITEMS], released[What.PAIRS]]))).company
    if What.VOTES not in released:
        return company
    table = learned(released[What.VOTES].astype(np.float64), noise=terms.noise(What.VOTES))
    return replace(company, gate=Gate.of(terms.settings, table))


def counted(mean: F32, population: int) -> F32:
    """From a released mean to the sum: float32[size]."""
    total: F64 = mean.astype(np.float64) * population
    return total.astype(np.float32)
