"""One person's vote on the gate: how much better each candidate would have served the own past.

At each stage the first events are known, and everything later is to be found. Where one domain is asked for, its first
events are known and all that lies elsewhere, whenever it was. What the person added to the pair counts
is taken out of what they say first, else a vote would praise what the voter put in.
"""

from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np

from penchant.config import CompanySettings
from penchant.interest.counting import Contribution, pair_counts
from penchant.interest.gate import STAGES, candidates
from penchant.interest.lift import Reading
from penchant.ranking import relevant_summary
from penchant.types import F32, F64, I32, Bool, Unit

_LONGEST: Final = 0.5
"""The L2 norm of a vote, at most: what nine in ten have anyway."""


def vote_bound(unit: Unit) -> float:
    """The L2 norm by which one protected unit moves the votes, at most: one event may turn a whole vote around."""
    return 2 * _LONGEST if unit is Unit.EVENT else _LONGEST


@dataclass(frozen=True, eq=False)
class Ballot:
    """What is voted on."""

    reading: Reading
    settings: CompanySettings
    unit: Unit

    def vote(self, history: I32) -> Contribution:
        """Gains in NDCG@10 over what everybody likes, as `CANDIDATES` orders them, of L2 norm .5 at most.

        history: int32[n_events], in order of time.
        """
        told = np.unique(history[self._known(history, STAGES[-1])])
        own = self._own(history, told)
        gains = np.concatenate([self._gains(history, stage, told, own) for stage in STAGES])
        cells = np.flatnonzero(gains)
        scale = min(1.0, _LONGEST / max(float(np.linalg.norm(gains)), 1e-12)) * (1 - 1e-6)
        return Contribution(cells.astype(np.int64), (gains[cells] * scale).astype(np.float32))

    def _known(self, history: I32, stage: int) -> Bool:
        """Which events are known at a stage: bool[n_events]."""
        counted = self.reading.company.tells[history]
        return np.asarray(~counted | (np.cumsum(counted) <= stage))

    def _own(self, history: I32, told: I32) -> F32:
        """What this person added to the counts of these items' pairs: float32[n_told, n_items]."""
        own = np.zeros((len(told), self.reading.company.n_items), np.float32)
        row = np.full(self.reading.company.n_items, -1)
        row[told] = np.arange(len(told))
        counted = pair_counts(history, self.reading.chosen, self.settings, self.unit)
        for one, other in permutations(self.reading.chosen.pairs(counted.cells)):
            known = row[one] >= 0
            own[row[one[known]], other[known]] = counted.weights[known]
        return own

    def _gains(self, history: I32, stage: int, told: I32, own: F32) -> F64:
        ways, company = candidates(stage), self.reading.company
        among = self._known(history, stage)
        known = history[among]
        seen = np.union1d(np.union1d(known, company.new), np.flatnonzero(~company.tells))
        right = np.setdiff1d(history[~among], seen).astype(np.int64)
        if not len(known) or not len(right):
            return np.zeros(len(ways))
        apart = {memory: self._apart(known, memory, told, own) for memory in {way.memory for way in ways}}
        scores = [company.base, *(company.blended(apart[way.memory], way.weight) for way in ways)]
        n = len(scores)
        ndcg = relevant_summary(np.stack(scores), [right] * n, seen=[seen] * n)["ndcg"]
        return np.asarray(ndcg[1:] - ndcg[0], np.float64)

    def _apart(self, known: I32, memory: float, told: I32, own: F32) -> F32:
        """As the company would say it, had this person not been counted."""
        company, pull = self.reading.company, self.reading.pull
        latest, shares = company.shares(known, memory)
        others = company.excess[latest] - pull[latest] * np.take_along_axis(
            own[np.searchsorted(told, latest)], company.neighbours[latest].astype(np.int64), axis=1
        )
        return company.gathered(latest, others * shares[:, None])
