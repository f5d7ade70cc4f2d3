"""What an epsilon for one interaction means for somebody with many."""

import pytest
from dp_accounting import NeighboringRelation, dp_event
from dp_accounting.pld import PLDAccountant as LossDistribution
from scipy.stats import binom

from penchant.errors import BadInput
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.calibrate import gaussian_delta
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.privacy.group import as_group, group_epsilon
from penchant.types import Unit

ROUNDS: list[PrivacyEvent] = [GaussianSum(8.0, Unit.EVENT)] * 10


@pytest.mark.parametrize("size", [2, 5, 20])
def test_a_group_moves_the_sum_so_many_times_as_far(size: int) -> None:
    epsilon = group_epsilon(ROUNDS, size=size, delta=1e-5)
    mu = size * 10**0.5 / 8.0
    assert gaussian_delta(mu, epsilon=epsilon) == pytest.approx(1e-5, rel=1e-2)


def test_one_is_the_unit_itself_and_more_cost_more_than_in_proportion() -> None:
    alone = PLDAccountant().epsilon(ROUNDS, delta=1e-5)
    assert group_epsilon(ROUNDS, size=1, delta=1e-5) == alone
    assert group_epsilon(ROUNDS, size=20, delta=1e-5) > 20 * alone


def test_coins_of_their_own_are_never_worse_than_one_for_all() -> None:
    """The published example: 1,000 people, q = 0.016, 10 epochs; about 3 for one example, over 100 for twenty."""
    events: list[PrivacyEvent] = [PoissonGaussianSum(0.016, 0.9, Unit.EVENT)] * 625
    assert PLDAccountant().epsilon(events, delta=1e-5) == pytest.approx(3.07, rel=0.01)
    assert 100 < _own_coins(20) < 150
    assert _own_coins(2) <= group_epsilon(events, size=2, delta=1e-5)


def _own_coins(size: int) -> float:
    exact = LossDistribution(NeighboringRelation.ADD_OR_REMOVE_ONE, value_discretization_interval=2e-2)
    chances = binom.pmf(range(size + 1), size, 0.016).tolist()
    exact.compose(dp_event.MixtureOfGaussiansDpEvent(0.9, list(range(size + 1)), chances), 625)
    return float(exact.get_epsilon(1e-5))


def test_a_group_of_nobody_is_refused() -> None:
    with pytest.raises(BadInput, match="group of 0"):
        as_group(ROUNDS[0], 0)
