"""Settings of a baseline can be told as text; what it has not or does not take is refused by name."""

import pytest

from penchant.baselines import BASELINES, Ease, RecentPopularity, SasRec, WeightedHybrid, changed
from penchant.errors import BadInput


def test_text_becomes_the_kind_of_value_that_the_setting_has() -> None:
    assert changed(SasRec(), {"width": "128", "dropout": "0.5", "text": "true"}) == SasRec(
        width=128, dropout=0.5, text=True
    )
    assert changed(Ease(memory=10.0), {"memory": "none", "ridge": "7"}) == Ease(7.0, None)
    assert changed(WeightedHybrid(), {"content": "0.4"}) == WeightedHybrid(0.4)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_nothing_changes_where_nothing_is_said(name: str) -> None:
    assert changed(BASELINES[name], {}) == BASELINES[name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("width", "wide"),
        ("width", "0"),
        ("width", "none"),
        ("dropout", "1"),
        ("learning_rate", "-0.1"),
        ("learning_rate", "nan"),
        ("learning_rate", "inf"),
        ("heads", "3"),
    ],
)
def test_a_value_that_does_not_do_is_refused(name: str, text: str) -> None:
    with pytest.raises(BadInput, match=f"--set {name}={text}: "):
        changed(SasRec(), {name: text})


def test_a_setting_that_is_not_there_is_refused_and_those_that_are_named() -> None:
    with pytest.raises(BadInput, match="RecentPopularity has half_life"):
        changed(RecentPopularity(), {"ridge": "3"})
    with pytest.raises(BadInput, match="WeightedHybrid has content"):  # its parts are no plain values
        changed(WeightedHybrid(), {"similar": "ease"})
    with pytest.raises(BadInput, match="no settings of its own"):
        changed(BASELINES["popularity"], {"x": "1"})
