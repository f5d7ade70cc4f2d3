"""From settings to the mechanism of a run. Apart from `guarantee`: calibration needs what a device does not carry."""

from math import ceil, sqrt
from typing import Final

from penchant.config import CompanySettings, FederationSettings, PrivacySettings
from penchant.errors import BadInput
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.adaptive_clip import QuantileClip, shared_out
from penchant.privacy.banded import best_band
from penchant.privacy.calibrate import checked_delta_for, gaussian_loss_for, noise_multiplier_for
from penchant.privacy.events import GaussianSum
from penchant.privacy.statistics import metrics_event
from penchant.strategies.cohort import poisson_rate, separation
from penchant.strategies.counting import CountingTerms, What, asked, bound_of
from penchant.strategies.guarantee import Guarantee
from penchant.types import NoiseAt, Sampling, Unit

_STEP: Final = 1 + 1e-4


def resolved(
    privacy: PrivacySettings,
    federation: FederationSettings,
    *,
    people: int,
    company: CompanySettings | None = None,
) -> Guarantee:
    """The mechanism of a run's rounds: noise calibrated to epsilon over all of them, unless it is given.

    people: how many the federation is for, a public number.  company: what is counted before the rounds.
    Raises: BadInput or BudgetExceeded where the wish cannot be met, saying what would meet it.
    """
    if privacy.unit is Unit.NONE:
        return Guarantee(privacy.unit, privacy.noise_at, privacy.clip_bound, 0.0)
    checked_delta_for(privacy.delta, people=people)
    rate = poisson_rate(people, federation) if federation.sampling is Sampling.POISSON else None
    turns = separation(people, federation)
    noise = privacy.noise_multiplier
    if noise is None:
        if privacy.epsilon is None:
            raise BadInput("give privacy.epsilon or privacy.noise_multiplier")
        metrics, counts = metrics_release(privacy), count_releases(privacy, federation, company)
        noise = noise_multiplier_for(
            privacy.epsilon,
            delta=privacy.delta,
            rounds=max(1, ceil(federation.rounds / turns)),
            rate=rate,
            beside=[*counts.values(), *filter(None, [metrics])] if federation.rounds else [],
        )
    band = _band(privacy, turns, rounds=max(1, federation.rounds))
    following = following_of(privacy, noise)
    return Guarantee(privacy.unit, privacy.noise_at, privacy.clip_bound, noise, rate, band, following)


def counting_terms(
    privacy: PrivacySettings, federation: FederationSettings, company: CompanySettings, *, n_items: int
) -> CountingTerms | None:
    """What a run counts before its rounds; None where it counts nothing, or where no server is trusted with counts."""
    if not _counts_anything(privacy, company):
        return None
    unit = privacy.unit
    releases = count_releases(privacy, federation, company)
    guarantees = {
        what: Guarantee(
            unit,
            NoiseAt.SERVER,
            bound_of(what, company, unit),
            releases[what].noise_multiplier if releases else 0.0,
        )
        for what in asked(company)
    }
    return CountingTerms(company, n_items, guarantees)


def _counts_anything(privacy: PrivacySettings, company: CompanySettings) -> bool:
    trusted = privacy.unit is Unit.NONE or privacy.noise_at is NoiseAt.SERVER
    return company.items > 0 and trusted


def count_releases(
    privacy: PrivacySettings, federation: FederationSettings, company: CompanySettings | None
) -> dict[What, GaussianSum]:
    """The release of each count, in the order of `What`; none where nothing is counted or protected.

    Raises: BadInput where there is no budget to take a share of.
    """
    if company is None or not _counts_anything(privacy, company) or privacy.unit is Unit.NONE:
        return {}
    if privacy.epsilon is None:
        raise BadInput("company.items counts under a share of privacy.epsilon: give that")
    share = (company.share if federation.rounds else 1.0) - privacy.metrics_share
    if share <= 0 or (federation.rounds and company.share + privacy.metrics_share >= 1):
        raise BadInput("company.share and privacy.metrics_share leave nothing of the budget to the rest")
    loss = gaussian_loss_for(privacy.epsilon, delta=privacy.delta)
    releases = {
        what: GaussianSum(1 / (loss * sqrt(share * part)), privacy.unit)
        for what, part in asked(company).items()
    }
    beside = [*filter(None, [metrics_release(privacy)])]
    while PLDAccountant().epsilon([*releases.values(), *beside], delta=privacy.delta) > privacy.epsilon:
        releases = {
            what: GaussianSum(event.noise_multiplier * _STEP, event.unit) for what, event in releases.items()
        }
    return releases


def following_of(privacy: PrivacySettings, noise_multiplier: float) -> QuantileClip | None:
    """How the clip bound follows the updates, paid for by its share of each round; None where it is fixed."""
    if privacy.clip_quantile is None:
        return None
    _, votes = shared_out(noise_multiplier, share=privacy.clip_share)
    return QuantileClip(privacy.clip_quantile, privacy.clip_learning_rate, votes)


def metrics_release(privacy: PrivacySettings) -> GaussianSum | None:
    """The release of accuracy by group that a run pays for beside its rounds; None where nothing is released.

    Raises: BadInput where there is no budget to take a share of, or no server that is trusted to add the noise.
    """
    if privacy.metrics_share == 0 or privacy.unit is Unit.NONE:
        return None
    if privacy.epsilon is None or privacy.noise_at is not NoiseAt.SERVER:
        raise BadInput("privacy.metrics_share is a share of privacy.epsilon, and takes noise at the server")
    return metrics_event(
        privacy.unit, epsilon=privacy.epsilon, delta=privacy.delta, share=privacy.metrics_share
    )


def _band(privacy: PrivacySettings, turns: int, *, rounds: int) -> int:
    """The wished band, or the best: correlation spreads one person's update over rounds in which they are not there."""
    if privacy.band is not None and privacy.band > turns:
        raise BadInput(
            f"privacy.band {privacy.band}: people's rounds lie {turns} apart, and the band can be no longer;"
            " lower it, or lower federation.cohort under sampling rotation"
        )
    if privacy.band is not None:
        return privacy.band
    if privacy.unit is not Unit.USER or privacy.noise_at is not NoiseAt.SERVER or privacy.clip_quantile:
        return 1
    return best_band(turns, rounds)
