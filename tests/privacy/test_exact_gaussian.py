"""The formula against a library that computes numerically, and against itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.errors import BadInput
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.events import GaussianSum
from penchant.privacy.exact_gaussian import exact_delta, exact_epsilon
from penchant.types import Unit


@pytest.mark.parametrize(
    "releases",
    [[(4.65, 60)], [(1.5, 1)], [(0.5, 2)], [(30.0, 3), (8.0, 40)], [(20.0, 5)]],
    ids=str,
)
@pytest.mark.parametrize("delta", [1e-5, 1e-8])
def test_it_agrees_with_the_loss_distribution(releases: list[tuple[float, int]], delta: float) -> None:
    events = [GaussianSum(z, Unit.USER) for z, steps in releases for _ in range(steps)]
    assert exact_epsilon(releases, delta=delta) == pytest.approx(
        PLDAccountant().epsilon(events, delta=delta), rel=1e-3, abs=1e-3
    )


@given(z=st.floats(0.05, 100), steps=st.integers(1, 500), delta=st.floats(1e-12, 0.1))
def test_what_is_found_keeps_its_delta_and_a_little_less_does_not(z: float, steps: int, delta: float) -> None:
    epsilon = exact_epsilon([(z, steps)], delta=delta)
    shift = steps**0.5 / z
    assert exact_delta(epsilon, shift=shift) <= delta * (1 + 1e-9)
    if epsilon > 1e-6:
        assert exact_delta(epsilon * (1 - 1e-6), shift=shift) > delta * (1 - 1e-3)
    assert exact_epsilon([(z, steps + 1)], delta=delta) >= epsilon


def test_nothing_costs_nothing_and_nonsense_is_refused() -> None:
    assert exact_epsilon([], delta=1e-5) == 0
    for z in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match="noise multiplier"):
            exact_epsilon([(z, 1)], delta=1e-5)
    with pytest.raises(BadInput, match="delta"):
        exact_epsilon([(1.0, 1)], delta=0.0)
