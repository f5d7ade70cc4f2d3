"""Group figures: known answers, coverage of the intervals, verdicts that do not cry wolf."""

import warnings

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame

from penchant import fairness
from penchant.fairness import Verdict


def test_means_and_counts_by_group_ignore_people_with_nothing_to_find() -> None:
    values = np.array([1.0, 0.0, np.nan, 0.5])
    found = fairness.groups(values, "gender", ["F", "F", "M", "M"], rng=np.random.default_rng(0))
    assert [(g.group, g.n, g.value, g.too_small) for g in found] == [("F", 2, 0.5, True), ("M", 1, 0.5, True)]
    assert np.isnan(found[0].ci_low)
    assert fairness.groups(np.array([np.nan]), "gender", ["F"], rng=np.random.default_rng(0)) == []


def test_a_group_below_the_smallest_size_gets_no_interval_and_no_gap() -> None:
    labels = ["a"] * 19 + ["b"] * 20
    values = np.r_[np.zeros(19), np.ones(20)]
    small, large = fairness.groups(values, "x", labels, rng=np.random.default_rng(0))
    assert small.too_small
    assert not large.too_small
    assert fairness.gap(values, "x", labels, rng=np.random.default_rng(0)) is None


def test_intervals_hold_the_true_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(100):
        (group,) = fairness.groups(rng.binomial(1, 0.3, 150).astype(float), "x", ["a"] * 150, rng=rng)
        inside += group.ci_low <= 0.3 <= group.ci_high
    assert 0.88 <= inside / 100 <= 1


def test_intervals_agree_with_fairlearns_own_bootstrap() -> None:
    values = np.random.default_rng(1).random(300)
    labels = ["a"] * 100 + ["b"] * 200
    ours = fairness.groups(values, "x", labels, rng=np.random.default_rng(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = MetricFrame(
            metrics=lambda _, shown: float(np.mean(shown)),
            y_true=values,
            y_pred=values,
            sensitive_features=labels,
            n_boot=100,
            ci_quantiles=[0.025, 0.975],
            random_state=0,
        )
    for group in ours:
        low, high = (bound[group.group] for bound in theirs.by_group_ci)
        assert group.ci_low == pytest.approx(low, abs=0.02)
        assert group.ci_high == pytest.approx(high, abs=0.02)


def test_a_planted_gap_is_found_and_named() -> None:
    rng = np.random.default_rng(0)
    values = np.r_[rng.random(200), rng.random(200) + 0.3]
    gap = fairness.gap(values, "gender", ["F"] * 200 + ["M"] * 200, rng=rng)
    assert gap is not None
    assert (gap.best, gap.worst, gap.verdict) == ("M", "F", Verdict.GAP)
    assert gap.ci_low <= gap.value <= gap.ci_high
    assert 0.2 < gap.value < 0.4


def test_many_groups_without_any_difference_are_inconclusive() -> None:
    """The extremes of 20 groups always look far apart: at most 5% (and some luck) may be called a gap."""
    rng = np.random.default_rng(7)
    labels = [f"job {n % 20}" for n in range(800)]
    verdicts = [fairness.gap(rng.random(800), "job", labels, rng=rng) for _ in range(20)]
    assert sum(found is not None and found.verdict is Verdict.GAP for found in verdicts) <= 4


def test_the_same_stream_gives_the_same_figures() -> None:
    values, labels = np.random.default_rng(0).random(60), ["a", "b"] * 30
    once, again = (fairness.gap(values, "x", labels, rng=np.random.default_rng(4)) for _ in range(2))
    assert once == again


def test_worst_decile_is_the_tenth_with_the_lowest_places() -> None:
    ranks = np.array([*range(1, 21), 0, 0])
    assert np.flatnonzero(fairness.worst_decile(ranks)).tolist() == [18, 19]
    assert not fairness.worst_decile(np.zeros(5, np.int64)).any()
