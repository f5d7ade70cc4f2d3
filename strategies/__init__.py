"""How updates become the next head: on Flower's own Strategy."""

from penchant.strategies.cohort import Draw, Roster, draw_cohort, expected_cohort
from penchant.strategies.guarantee import Guarantee
from penchant.strategies.interest import InterestStrategy, Journal, RoundAborted, RoundSummary
from penchant.strategies.optimizers import HeadState, step

__all__ = [
    "Draw",
    "Guarantee",
    "HeadState",
    "InterestStrategy",
    "Journal",
    "Roster",
    "RoundAborted",
    "RoundSummary",
    "draw_cohort",
    "expected_cohort",
    "step",
]
