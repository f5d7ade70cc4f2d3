"""Many people are priced at once, each as if alone, and nobody too low."""

import time
from collections import Counter

import numpy as np
import pytest

from penchant.errors import CheckFailed
from penchant.privacy import population
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.events import GaussianSum, PoissonGaussianSum
from penchant.privacy.population import History, epsilons
from penchant.types import Unit

DELTA = 1e-5


def _alone(history: History) -> float:
    return PLDAccountant().epsilon(Counter(dict(history)).elements(), delta=DELTA)


def _plain(rng: np.random.Generator) -> History:
    multipliers = (2.0 + 0.25 * rng.integers(0, 40, size=3)).tolist()
    return {
        GaussianSum(z, Unit.EVENT): int(n)
        for z, n in zip(multipliers, rng.integers(1, 60, size=3), strict=True)
    }


def _sampled(rng: np.random.Generator) -> History:
    return {
        PoissonGaussianSum(0.05, 1.0, Unit.EVENT): int(rng.integers(1, 400)),
        PoissonGaussianSum(0.1, 2.0, Unit.EVENT): int(rng.integers(1, 400)),
        GaussianSum(8.0, Unit.EVENT): int(rng.integers(1, 60)),
    }


def test_ten_thousand_different_histories_in_under_five_seconds() -> None:
    rng = np.random.default_rng(0)
    histories = [_plain(rng) for _ in range(10_000)]
    started = time.process_time()
    spent = epsilons(histories, delta=DELTA)
    assert time.process_time() - started < 5
    for person in range(0, 10_000, 1000):
        assert spent[person] == pytest.approx(_alone(histories[person]), rel=1e-3)


def test_ten_thousand_different_sampled_histories_in_under_five_seconds_and_never_too_low() -> None:
    rng = np.random.default_rng(1)
    histories = [_sampled(rng) for _ in range(10_000)]
    started = time.process_time()
    spent = epsilons(histories, delta=DELTA)
    assert time.process_time() - started < 5
    for person in range(0, 10_000, 2500):
        exact = _alone(histories[person])
        assert exact <= spent[person] <= 1.25 * exact


def test_few_different_sampled_histories_are_priced_by_pld() -> None:
    histories: list[History] = [{PoissonGaussianSum(0.1, 1.0, Unit.EVENT): n} for n in (100, 50, 100, 100)]
    spent = epsilons(histories, delta=DELTA)
    assert spent == pytest.approx([_alone(history) for history in histories])
    assert spent[0] == pytest.approx(7.05, rel=2e-3)


def test_nothing_spent_costs_nothing_and_the_order_is_kept() -> None:
    histories: list[History] = [
        {},
        {GaussianSum(4.65, Unit.USER): 60},
        {PoissonGaussianSum(0.1, 1.0, Unit.USER): 100},
        {},
    ]
    assert epsilons(histories, delta=DELTA) == pytest.approx([0, 8.0, 7.05, 0], rel=2e-3)
    assert len(epsilons([], delta=DELTA)) == 0


def test_a_closed_form_that_strays_from_pld_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = population.gaussian_epsilons
    monkeypatch.setattr(population, "gaussian_epsilons", lambda mu, delta: 0.99 * honest(mu, delta=delta))
    with pytest.raises(CheckFailed, match="disagree"):
        epsilons([{GaussianSum(4.65, Unit.USER): 60}], delta=DELTA)
