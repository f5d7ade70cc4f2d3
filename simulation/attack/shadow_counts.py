"""Counts under attack: a shadow federation that counts as a run does, with canaries among its people."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from penchant.client.counting import contributions
from penchant.config import CompanySettings
from penchant.errors import BadInput
from penchant.interest.counting import Contribution, n_pairs
from penchant.privacy.ledger import Budget, Ledger
from penchant.privacy.one_run import Membership
from penchant.rng import stream
from penchant.rundir import RunDirectory
from penchant.server.counting import CountJournal
from penchant.server.journal import Account
from penchant.simulation.attack.membership import by_likeness, by_recommendations
from penchant.simulation.federation import Federation
from penchant.simulation.settings import RunSettings
from penchant.simulation.world import World
from penchant.strategies.counting import CountingTerms, What, told_of
from penchant.types import F32, F64, I32, I64, Bool, Unit

_TURNS: Final = 10
"""How often a canary of a whole person takes up its pair: a count that forgets its bound is heard at once."""

_ENOUGH: Final = 100
"""Numbers from which a variance can be told."""

_LEAST: Final = 1e-6

_OF_A_COIN: Final = 0.25
"""The variance of what the attacker guesses."""


class ShadowCounts:
    """People 0 .. n-1 are real, of whom those drawn by coins take part; those from n on are canaries."""

    def __init__(self, settings: RunSettings, world: World, count: int) -> None:
        """Raises: BadInput for more canaries than there are pairs."""
        rng = stream(settings.seed, "audit")
        nobody = np.empty(0, np.int32)
        self._world = world
        self.trained: Bool = rng.random(world.n_people) < 0.5
        self.included: Bool = rng.random(count) < 0.5
        self._canaries = _canaries(settings, _most_liked(world, settings.company), count, rng)
        coins = zip(self._canaries, self.included, strict=True)
        histories = [
            *(h if there else nobody for h, there in zip(world.histories, self.trained, strict=True)),
            *(canary.inside if there else canary.outside for canary, there in coins),
        ]
        self._federation = Federation.of(settings, replace(world, histories=tuple(histories)))
        assert self._federation.counting is not None  # no settings without rounds lack both
        self._terms: CountingTerms = self._federation.counting
        self._released: dict[What, F32] = {}
        self._likeness: F64 = np.zeros(world.n_people)

    @property
    def sees(self) -> str:
        *most, last = self._terms.guarantees
        return f"the noised sums of {', '.join(most)} and {last}, and everything but the coins"

    def run(self, run: RunDirectory, ledger: Ledger, done: Callable[[], None]) -> F64:
        privacy = self._federation.settings.privacy
        account = Account(ledger, Budget(float("inf"), privacy.delta), reproducible=False)
        gram, pull = np.zeros((len(self.included),) * 2), np.zeros(len(self.included))
        for what in self._terms.guarantees:
            told = told_of(self._released)
            self._released[what] = self._federation.count(what, told, CountJournal(run, what, account))
            moves, heard = self._heard(what, told)
            spread = _spread(heard, moves, most=self._terms.noise(what) ** 2)
            gram += (moves @ moves.T).toarray() / spread
            pull += moves @ heard / spread
            done()
        return _coins(gram, pull)

    def memberships(self) -> tuple[Membership, Membership]:
        """By how alike a person's own contribution is to what was released, and by lists."""
        head = self._federation.initial_state().head
        lists = self._federation.serving(head, self._federation.company(self._released)).scores
        histories = self._world.histories
        return by_likeness(self._likeness, self.trained), by_recommendations(lists, histories, self.trained)

    def _heard(self, what: What, told: F32) -> tuple[csr_array, F64]:
        """By how much each canary moves a count, csr[m, size], and what was heard of all: the release less the rest."""
        terms, size = self._terms, self._terms.layout(what).size
        of = contributions(terms, what, told, self._federation.read)
        released = self._released[what].astype(np.float64)
        spread, heard = terms.noise(what) ** 2, released.copy()
        for person, history in enumerate(self._world.histories):
            own = of(history)
            self._likeness[person] += own.weights @ released[own.cells] / spread
            if self.trained[person]:
                heard[own.cells] -= own.weights
        inside = _rows((of(canary.inside) for canary in self._canaries), size)
        outside = _rows((of(canary.outside) for canary in self._canaries), size)
        return inside - outside, heard - outside.sum(axis=0)


@dataclass(frozen=True, slots=True)
class _Canary:
    """inside, outside: int32[n_events], its history with what is protected, and without."""

    inside: I32
    outside: I32


def _canaries(settings: RunSettings, items: I64, count: int, rng: np.random.Generator) -> Sequence[_Canary]:
    """Unit `user`: people of two items, a pair of their own; out means never there. Unit `event`: histories whose last
    event is a canary; out means that it never happened. items: int64[n], those that canaries choose from.
    """
    if settings.privacy.unit is Unit.USER:
        pairs = n_pairs(len(items), ordered=False)
        if count > pairs:
            raise BadInput(f"{count} canaries need as many pairs; company.items leave room for {pairs}")
        low, high = np.triu_indices(len(items), 1)
        own = rng.choice(pairs, count, replace=False)
        return [
            _Canary(np.tile(items[[low[at], high[at]]], _TURNS).astype(np.int32), np.empty(0, np.int32))
            for at in own
        ]
    length = min(settings.company.window + 1, len(items))
    drawn = [rng.choice(items, length, replace=False).astype(np.int32) for _ in range(count)]
    return [_Canary(history, history[:-1]) for history in drawn]


def _most_liked(world: World, company: CompanySettings) -> I64:
    """Items that are counted in pairs whatever the noise says, nearly: the upper half of as many as are counted."""
    liked = np.bincount(np.concatenate(world.histories), minlength=len(world.dataset.catalogue))
    return np.argsort(-liked, kind="stable")[: max(2, company.items // 2)]


def _rows(contributed: Iterator[Contribution], size: int) -> csr_array:
    """float64 csr[n, size]."""
    rows = list(contributed)
    starts = np.concatenate([[0], np.cumsum([len(row.cells) for row in rows])])
    cells = np.concatenate([row.cells for row in rows])
    weights = np.concatenate([row.weights for row in rows]).astype(np.float64)
    return csr_array((weights, cells, starts), shape=(len(rows), size))


def _spread(heard: F64, moves: csr_array, *, most: float) -> float:
    """The noise's variance, as heard where no canary moves anything; the promised one where that is hardly anywhere."""
    silent = np.ones(len(heard), np.bool_)
    silent[moves.indices] = False
    if silent.sum() < _ENOUGH:
        return most
    return float(np.clip((heard[silent] ** 2).mean(), _LEAST * most, most))


def _coins(gram: F64, pull: F64) -> F64:
    """The best linear guess of the coins, of mean 1/2, where what is heard is the sum of coin times move, and noise.

    gram: float64[m, m], inner products of the moves.  pull: float64[m], theirs with what was heard; both over the
    noise's variance.
    """
    trusted = gram + np.eye(len(gram)) / _OF_A_COIN
    return 0.5 + np.linalg.solve(trusted, pull - gram.sum(axis=1) / 2)
