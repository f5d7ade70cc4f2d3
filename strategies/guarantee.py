"""What a round promises: the unit, who adds the noise, how much, and the privacy event that describes it."""

from dataclasses import dataclass

from penchant.errors import BadInput
from penchant.privacy.adaptive_clip import QuantileClip
from penchant.privacy.banded import column_norm
from penchant.privacy.events import BandedGaussianSum, GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.strategies.cohort import Draw
from penchant.types import NoiseAt, Unit


@dataclass(frozen=True, slots=True)
class Guarantee:
    """The mechanism of every round of a run.

    clip_bound: largest L2 norm of one contribution (a person's update, or one chunk's gradient).
    noise_multiplier: standard deviation of the noise over clip_bound; 0 where the unit is none. Where the clip bound
    follows the updates, what update and votes cost together: the update's own noise is then a little more.
    poisson_rate: chance with which each person joins a round, where the server draws secretly; None claims nothing.
    band: rounds over which the server's noise is correlated, at most as many as lie between a person's. 1: independent.
    following: how the clip bound follows the updates' norms, from clip_bound on; None keeps it fixed.
    """

    unit: Unit
    noise_at: NoiseAt
    clip_bound: float
    noise_multiplier: float
    poisson_rate: float | None = None
    band: int = 1
    following: QuantileClip | None = None

    def __post_init__(self) -> None:
        if (self.unit is Unit.NONE) != (self.noise_multiplier == 0):
            raise BadInput(
                f"unit {self.unit} with noise multiplier {self.noise_multiplier}: noise goes with a unit"
            )
        if self.noise_at is NoiseAt.CLIENT and self.poisson_rate is not None:
            raise BadInput(
                "a client that adds its own noise knows that it takes part: nothing is amplified for it"
            )
        if self.band > 1 and not (self.unit is Unit.USER and self.server_noise and self.poisson_rate is None):
            raise BadInput(
                f"noise correlated over {self.band} rounds goes with unit user, noise at the server, and rotation"
            )

        if self.following is None:
            return
        if not (self.unit is Unit.USER and self.server_noise):
            raise BadInput("a clip bound that follows a quantile goes with unit user and noise at the server")
        if self.band > 1:
            raise BadInput(
                "a clip bound that follows a quantile goes with independent noise: set privacy.band to 1"
            )
        self.following.left_of(self.noise_multiplier)

    @property
    def server_noise(self) -> bool:
        return self.unit is not Unit.NONE and self.noise_at is NoiseAt.SERVER

    @property
    def client_noise(self) -> bool:
        return self.unit is not Unit.NONE and self.noise_at is NoiseAt.CLIENT

    @property
    def event(self) -> PrivacyEvent | None:
        """What one round does to one protected unit that takes part; None where nothing is protected."""
        if self.unit is Unit.NONE:
            return None
        if self.band > 1:
            return BandedGaussianSum(self.noise_multiplier, self.band, self.unit)
        if self.poisson_rate is None:
            return GaussianSum(self.noise_multiplier, self.unit)
        return PoissonGaussianSum(self.poisson_rate, self.noise_multiplier, self.unit)

    def event_of(self, draw: Draw) -> PrivacyEvent | None:
        """What a round with these people costs: amplified only where the draw shows coins at the rate claimed."""
        event = self.event
        if isinstance(event, PoissonGaussianSum) and draw.rate != event.rate:
            return event.unamplified
        return event

    @property
    def server_noise_multiplier(self) -> float:
        """Standard deviation of the server's noise over the clip bound, before earlier rounds correlate with it."""
        if self.following is not None:
            return self.following.left_of(self.noise_multiplier)
        return self.noise_multiplier * column_norm(self.band)
