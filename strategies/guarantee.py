"""What a round promises: the unit, who adds the noise, how much, and the privacy event that describes it."""

from dataclasses import dataclass

from penchant.errors import BadInput
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, PrivacyEvent
from penchant.types import NoiseAt, Unit


@dataclass(frozen=True, slots=True)
class Guarantee:
    """The mechanism of every round of a run.

    clip_bound: largest L2 norm of one contribution (a person's update, or one chunk's gradient).
    noise_multiplier: standard deviation of the noise over clip_bound; 0 where the unit is none.
    poisson_rate: chance with which each person joins a round, where the server draws secretly; None claims nothing.
    """

    unit: Unit
    noise_at: NoiseAt
    clip_bound: float
    noise_multiplier: float
    poisson_rate: float | None = None

    def __post_init__(self) -> None:
        if (self.unit is Unit.NONE) != (self.noise_multiplier == 0):
            raise BadInput(
                f"unit {self.unit} with noise multiplier {self.noise_multiplier}: noise goes with a unit"
            )
        if self.noise_at is NoiseAt.CLIENT and self.poisson_rate is not None:
            raise BadInput(
                "a client that adds its own noise knows that it takes part: nothing is amplified for it"
            )

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
        if self.poisson_rate is None:
            return GaussianSum(self.noise_multiplier, self.unit)
        return PoissonGaussianSum(self.poisson_rate, self.noise_multiplier, self.unit)
