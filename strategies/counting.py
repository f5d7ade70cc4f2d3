"""Counts of items and of pairs as releases of their own, before any round of training: each one federated sum.

The same strategy as for heads, with counts in the head's place: admitted, held to their bound, summed, noised, divided
by the expected cohort, and charged before any of it exists. Everybody takes part, so nothing is amplified.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from flwr.app import Message, MessageType

from penchant.config import CompanySettings, FederationSettings, OptimizerSettings
from penchant.interest import TensorLayout
from penchant.interest.counting import ITEM_BOUND, Chosen, Counts, pair_bound
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


def bound_of(what: What, settings: CompanySettings, unit: Unit) -> float:
    """The L2 norm by which one protected unit moves a count, at most."""
    return ITEM_BOUND if what is What.ITEMS else pair_bound(settings, unit)


@dataclass(frozen=True, slots=True)
class CountingTerms:
    """What server and clients agree on. guarantees: of each release; `items` comes first, and pairs rest on it."""

    settings: CompanySettings
    n_items: int
    items: Guarantee
    pairs: Guarantee

    def guarantee(self, what: What) -> Guarantee:
        return self.items if what is What.ITEMS else self.pairs

    def noise(self, what: What) -> float:
        """Standard deviation of the noise in a count."""
        guarantee = self.guarantee(what)
        return guarantee.noise_multiplier * guarantee.clip_bound

    def layout(self, what: What) -> TensorLayout:
        """What a client sends."""
        m = min(self.settings.items, self.n_items)
        size = self.n_items if what is What.ITEMS else m * (m - 1) // 2
        return TensorLayout(((f"shared.{what}", (size,)),))

    @property
    def told(self) -> TensorLayout:
        """What a client is told: the item counts so far, zero before they are released."""
        return self.layout(What.ITEMS)

    def chosen(self, items: F32) -> Chosen:
        """Whose pairs are counted, by released item counts."""
        return Chosen.of(items.astype(np.float64), self.settings, floor=self.counts(items).floor)

    def counts(self, items: F32, pairs: F32 | None = None) -> Counts:
        known = np.empty(0) if pairs is None else pairs.astype(np.float64)
        return Counts(items.astype(np.float64), known, self.noise(What.ITEMS), self.noise(What.PAIRS))


class CountingStrategy(InterestStrategy):
    """One round that counts."""

    def __init__(
        self,
        terms: CountingTerms,
        what: What,
        items: F32,
        *,
        roster: Roster,
        population: int,
        federation: FederationSettings,
        noise: Callable[[], NoiseSource],
        journal: Journal,
    ) -> None:
        """items: float32[n_items], as released, or zero before.  federation: deadline and least share of replies."""
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
        self._terms, self._what, self._items = terms, what, items

    def _message(self, node: int, hosted: tuple[int, ...], round_: int) -> Message:
        content = request_content(self._terms.told, TrainRequest(round_, self._items, hosted))
        self._bytes_down += bytes_of(content) * max(1, len(hosted))
        return Message(content, dst_node_id=node, message_type=f"{MessageType.TRAIN}.{self._what}")


def counted(mean: F32, population: int) -> F32:
    """From a released mean to the sum: float32[size]."""
    total: F64 = mean.astype(np.float64) * population
    return total.astype(np.float32)
