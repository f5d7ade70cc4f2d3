"""Events are plain facts: one text for one fact, and nothing impossible can be written down."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penchant.errors import BadInput
from penchant.privacy.events import (
    GaussianSum,
    PoissonGaussianSum,
    PrivacyEvent,
    canonical,
    from_record,
    to_record,
)
from penchant.types import Unit

_units = st.sampled_from([Unit.EVENT, Unit.USER])
_multipliers = st.floats(1e-3, 1e3)
_events = st.builds(GaussianSum, _multipliers, _units) | st.builds(
    PoissonGaussianSum, st.floats(1e-6, 0.999), _multipliers, _units
)


@given(event=_events)
def test_a_record_gives_the_event_back(event: PrivacyEvent) -> None:
    assert from_record(to_record(event)) == event


def test_the_canonical_text_never_changes() -> None:
    """Ledgers already written hold these bytes; a change here would give them another meaning."""
    assert (
        canonical(GaussianSum(4.65, Unit.USER))
        == b'{"kind":"gaussian_sum","noise_multiplier":4.65,"unit":"user"}'
    )
    assert canonical(PoissonGaussianSum(0.1, 1.0, Unit.EVENT)) == (
        b'{"kind":"poisson_gaussian_sum","noise_multiplier":1,"rate":0.1,"unit":"event"}'
    )


def test_amplification_can_be_taken_away() -> None:
    assert PoissonGaussianSum(0.1, 1.0, Unit.USER).unamplified == GaussianSum(1.0, Unit.USER)


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "magic", "unit": "user"},
        {"kind": "gaussian_sum", "unit": "user"},
        {"kind": "gaussian_sum", "unit": "none", "noise_multiplier": 1.0},
        {"kind": "gaussian_sum", "unit": "everyone", "noise_multiplier": 1.0},
        {"kind": "gaussian_sum", "unit": "user", "noise_multiplier": 0.0},
        {"kind": "gaussian_sum", "unit": "user", "noise_multiplier": float("nan")},
        {"kind": "gaussian_sum", "unit": "user", "noise_multiplier": 1.0, "extra": 1},
        {"kind": "poisson_gaussian_sum", "unit": "user", "noise_multiplier": 1.0, "rate": 1.0},
        {"kind": "poisson_gaussian_sum", "unit": "user", "noise_multiplier": 1.0, "rate": 0.0},
    ],
)
def test_what_cannot_be_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        from_record(record)
