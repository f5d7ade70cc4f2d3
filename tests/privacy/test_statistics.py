"""Released figures: nobody moves them further than is charged, small groups are withheld, the share is a share."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penchant.config import FederationSettings, PrivacySettings
from penchant.errors import BadInput, BudgetExceeded
from penchant.privacy import statistics
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.calibrate import noise_multiplier_for
from penchant.privacy.clip import ClippedSum
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.privacy.noise import CryptographicNoise
from penchant.privacy.statistics import metrics_event, release_groups
from penchant.strategies.resolution import resolved
from penchant.types import F64, NoiseAt, Sampling, Unit

GROUPS = {"gender": ("F", "M"), "age": ("old", "young")}
QUIET = GaussianSum(1e-3, Unit.USER)


def _people(n: int, seed: int = 0) -> tuple[dict[str, F64], dict[str, list[str]]]:
    rng = np.random.default_rng(seed)
    values = {"hr": rng.integers(0, 2, n).astype(float), "ndcg": rng.random(n)}
    return values, {name: rng.choice(groups, n).tolist() for name, groups in GROUPS.items()}


def test_without_noise_worth_the_name_the_means_come_out() -> None:
    values, labels = _people(500)
    groups = release_groups(values, labels, GROUPS, event=QUIET, noise=CryptographicNoise())
    assert [(group.attribute, group.group) for group in groups] == [
        ("everybody", "all"),
        ("gender", "F"),
        ("gender", "M"),
        ("age", "old"),
        ("age", "young"),
    ]
    women = np.array(labels["gender"]) == "F"
    assert groups[0].count == pytest.approx(500, abs=0.1)
    assert groups[1].count == pytest.approx(women.sum(), abs=0.1)
    assert groups[1].values is not None
    assert groups[1].values["hr"] == pytest.approx(values["hr"][women].mean(), abs=1e-3)
    assert groups[1].values["ndcg"] == pytest.approx(values["ndcg"][women].mean(), abs=1e-3)


@settings(max_examples=50)
@given(
    figures=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    changed=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    groups=st.tuples(st.sampled_from(["F", "M", "?"]), st.sampled_from(["old", "young"])),
    others=st.tuples(st.sampled_from(["F", "M", "?"]), st.sampled_from(["old", "young"])),
)
def test_nobody_moves_the_sums_further_than_is_charged(
    figures: tuple[float, float],
    changed: tuple[float, float],
    groups: tuple[str, str],
    others: tuple[str, str],
) -> None:
    """One person there or not; and one interaction that changes a person's values and groups."""
    cells = [statistics.EVERYBODY, *((name, group) for name in GROUPS for group in GROUPS[name])]

    def row(values: tuple[float, float], own: tuple[str, str]) -> F64:
        told = {"hr": np.array(values[:1]), "ndcg": np.array(values[1:])}
        labels = {name: [group] for name, group in zip(GROUPS, own, strict=True)}
        told_of: F64 = statistics._contributions(told, labels, cells)[0].astype(np.float64)
        return told_of

    bound = sqrt(3 * 3)
    assert np.linalg.norm(row(figures, groups)) <= bound * (1 + 1e-6)
    assert np.linalg.norm(row(figures, groups) - row(changed, others)) <= sqrt(2) * bound * (1 + 1e-6)


@pytest.mark.parametrize(("unit", "apart"), [(Unit.USER, 1.0), (Unit.EVENT, sqrt(2))])
def test_the_noise_is_what_is_charged(unit: Unit, apart: float) -> None:
    values, labels = _people(2000)
    event = GaussianSum(4.0, unit)
    found = [
        release_groups(values, labels, GROUPS, event=event, noise=CryptographicNoise())[0].count
        for _ in range(150)
    ]
    assert np.std(np.array(found, dtype=float)) == pytest.approx(4.0 * 3.0 * apart, rel=0.2)


def test_small_groups_are_withheld_whole() -> None:
    values, labels = _people(500)
    labels["gender"][:] = ["F"] * 10 + ["M"] * 490
    groups = release_groups(values, labels, GROUPS, event=QUIET, noise=CryptographicNoise())
    assert (groups[1].withheld, groups[1].count, groups[1].values) == (True, None, None)
    assert not groups[2].withheld
    loud = GaussianSum(1000.0, Unit.USER)
    assert all(
        group.withheld or (group.count or 0) > 2 * 3000
        for group in release_groups(values, labels, GROUPS, event=loud, noise=CryptographicNoise())
    )


def test_a_planted_release_without_noise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    values, labels = _people(500)
    event = GaussianSum(4.0, Unit.USER)

    def check() -> None:
        counts = {
            release_groups(values, labels, GROUPS, event=event, noise=CryptographicNoise())[0].count
            for _ in range(3)
        }
        assert len(counts) == 3

    check()

    def free(total: ClippedSum, **_: object) -> F64:
        return total.values

    monkeypatch.setattr(statistics, "release", free)
    with pytest.raises(AssertionError):
        check()


def test_people_without_a_figure_add_nothing_and_figures_out_of_range_are_refused() -> None:
    values, labels = _people(500)
    values["hr"][:100] = np.nan
    groups = release_groups(values, labels, GROUPS, event=QUIET, noise=CryptographicNoise())
    assert groups[0].count == pytest.approx(400, abs=0.1)
    values["hr"][200] = 1.5
    with pytest.raises(BadInput, match="outside 0 to 1"):
        release_groups(values, labels, GROUPS, event=QUIET, noise=CryptographicNoise())


@pytest.mark.parametrize(
    ("sampling", "share"), [(Sampling.ALL, 0.05), (Sampling.ALL, 0.5), (Sampling.POISSON, 0.2)]
)
def test_updates_and_figures_together_spend_the_budget_and_no_more(sampling: Sampling, share: float) -> None:
    privacy = PrivacySettings(epsilon=4.0, metrics_share=share)
    cohort = None if sampling is Sampling.ALL else 100
    federation = FederationSettings(rounds=4, sampling=sampling, cohort=cohort)
    update = resolved(privacy, federation, people=1000).event
    assert isinstance(update, GaussianSum | PoissonGaussianSum)
    figures = metrics_event(Unit.USER, epsilon=4.0, delta=1e-5, share=share)
    events: list[PrivacyEvent] = [*[update] * 4, figures]
    assert 3.99 < PLDAccountant().epsilon(events, delta=1e-5) <= 4.0


def test_a_share_needs_a_budget_and_a_server_that_adds_the_noise() -> None:
    with pytest.raises(BadInput, match=r"share of privacy\.epsilon"):
        resolved(PrivacySettings(metrics_share=0.1, noise_at=NoiseAt.CLIENT), FederationSettings(), people=99)
    with pytest.raises(BadInput, match="between 0 and 1"):
        metrics_event(Unit.USER, epsilon=1.0, delta=1e-5, share=1.0)
    with pytest.raises(BudgetExceeded, match="spent by what is released besides"):
        noise_multiplier_for(1.0, delta=1e-5, rounds=1, beside=[GaussianSum(0.1, Unit.USER)])
