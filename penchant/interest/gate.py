"""How much a person's own events weigh against what everybody likes, by how many there are.

Set by hand it is a curve that rises with the number of events; learned, a table by stages (see `voting`), in which a
stage whose gain does not stand above the noise keeps to what everybody likes. Where one domain is asked for, stages
count events in that: at 0, all that is known of a person lies elsewhere.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np

from penchant.config import CompanySettings
from penchant.types import F32, F64

STAGES: Final = (0, 1, 3, 5, 10, 20)
"""Events that are known of a person, from which each stage of a learned gate holds."""

_WEIGHTS: Final = (0.1, 0.3, 0.6, 1.0, 2.0, 4.0)
_MEMORIES: Final = (2.0, 8.0, 1000.0)
_BEYOND_DOUBT: Final = 2.0
"""Standard deviations of its noise by which a gain has to stand above nothing."""


class Way(NamedTuple):
    """weight: of one's own events; 0: only what everybody likes.  memory: their half-life, in events."""

    weight: float
    memory: float


def candidates(stage: int) -> tuple[Way, ...]:
    """What is tried with so many events known, beside weight 0. One event alone has no memory to choose."""
    memories = _MEMORIES if stage != 1 else _MEMORIES[-1:]
    return tuple(Way(weight, memory) for weight in _WEIGHTS for memory in memories)


CANDIDATES: Final = tuple((stage, way) for stage in STAGES for way in candidates(stage))
"""All of them, in the order in which they are voted on."""


@dataclass(frozen=True, eq=False)
class Gate:
    """evidence, prior_events, memory: the curve, as the settings give it.

    learned: float32[n_stages, 2], a `Way` each; of no rows where none was learned.
    """

    evidence: float
    prior_events: float
    memory: float
    learned: F32

    @classmethod
    def of(cls, settings: CompanySettings, learned: F32 | None = None) -> Self:
        table = np.zeros((0, 2), np.float32) if learned is None else learned
        return cls(settings.evidence, settings.prior_events, settings.memory, table)

    def at(self, n_events: int) -> Way:
        """For a person of whom so many events are known."""
        if not len(self.learned):
            rising = self.evidence * n_events / max(n_events + self.prior_events, 1e-12)
            return Way(rising, self.memory)
        stage = int(np.searchsorted(STAGES, n_events, side="right")) - 1
        weight, memory = self.learned[stage]
        return Way(float(weight), float(memory))


def learned(gains: F64, *, noise: float) -> F32:
    """The table that votes let conclude: float32[n_stages, 2].

    gains: float64[n_candidates], as `CANDIDATES` orders them, over weight 0, summed over people.
    noise: standard deviation of the noise in each.
    """
    table = np.zeros((len(STAGES), 2), np.float32)
    for row, stage in enumerate(STAGES):
        among = [place for place, (at, _) in enumerate(CANDIDATES) if at == stage]
        best = max(among, key=lambda place: float(gains[place]))
        found = CANDIDATES[best][1]
        table[row] = found if gains[best] > _BEYOND_DOUBT * noise else Way(0.0, found.memory)
    return table
