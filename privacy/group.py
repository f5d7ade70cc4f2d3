"""Group privacy: what a guarantee for one unit is worth to somebody who is several of them."""

from collections.abc import Sequence
from dataclasses import replace

from penchant.errors import BadInput
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.events import PrivacyEvent


def as_group(event: PrivacyEvent, size: int) -> PrivacyEvent:
    """The same release, seen by somebody to whom `size` units belong.

    Blanking `size` interactions takes away at most as many contributions, so the sum moves by at most `size` clip
    bounds, as if the noise multiplier were so many times smaller. Where people are sampled, one coin decides for all of
    a person's units: the rate stays, and the group is in or out as a whole (which is the worst that coins can do).
    Source: Ganesh 2024, arXiv:2310.15526, for the mixture that other coins would give.
    """
    if size < 1:
        raise BadInput(f"a group of {size}: must be 1 or more")
    return replace(event, noise_multiplier=event.noise_multiplier / size)


def group_epsilon(events: Sequence[PrivacyEvent], *, size: int, delta: float) -> float:
    """Epsilon of all events for a group of `size` units, by PLD."""
    return PLDAccountant().epsilon([as_group(event, size) for event in events], delta=delta)
