"""From settings to the mechanism of a run. Apart from `guarantee`: calibration needs what a device does not carry."""

from penchant.config import FederationSettings, PrivacySettings
from penchant.errors import BadInput
from penchant.privacy.calibrate import checked_delta_for, noise_multiplier_for
from penchant.strategies.cohort import poisson_rate
from penchant.strategies.guarantee import Guarantee
from penchant.types import Sampling, Unit


def resolved(privacy: PrivacySettings, federation: FederationSettings, *, people: int) -> Guarantee:
    """The mechanism of a run: noise calibrated to epsilon over all its rounds, unless it is given.

    people: how many the federation is for, a public number.
    Raises: BadInput or BudgetExceeded where the wish cannot be met, saying what would meet it.
    """
    if privacy.unit is Unit.NONE:
        return Guarantee(privacy.unit, privacy.noise_at, privacy.clip_bound, 0.0)
    checked_delta_for(privacy.delta, people=people)
    rate = poisson_rate(people, federation) if federation.sampling is Sampling.POISSON else None
    noise = privacy.noise_multiplier
    if noise is None:
        if privacy.epsilon is None:
            raise BadInput("give privacy.epsilon or privacy.noise_multiplier")
        noise = noise_multiplier_for(
            privacy.epsilon, delta=privacy.delta, rounds=federation.rounds, rate=rate
        )
    return Guarantee(privacy.unit, privacy.noise_at, privacy.clip_bound, noise, rate)
