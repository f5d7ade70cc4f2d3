"""What happened to private data, as frozen facts. Accountants price them; their meanings never change.

An event speaks of a sum of contributions, one per protected unit, each of L2 norm at most a clip bound C, to
which Gaussian noise of standard deviation `noise_multiplier * C` was added. The bound cancels, so an event
does not carry it.

Units, adjacency and sensitivity:

- `user`: one contribution holds everything a person ever did. Neighbours differ by one person, added or
  removed; the sum moves by at most C. The denominator is the expected cohort, so it does not move at all.
- `event`: one contribution is the clipped gradient of one chunk of a person's history, and each interaction
  lies in exactly one chunk. Neighbours differ by one interaction, blanked in place (zero-out). A chunk that
  holds a blank contributes nothing, so exactly one contribution vanishes and the sum moves by at most C.
  Without that skip rule the contribution would change instead of vanish and the sensitivity would be 2C.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import Any, ClassVar, Final, TypeAlias

import rfc8785

from penchant.errors import BadInput
from penchant.types import Unit

ADJACENCY: Final = {
    Unit.USER: "add or remove one person with everything they ever did",
    Unit.EVENT: "zero out one interaction of one person, in place",
}
"""The neighbouring data sets that each unit's guarantee speaks of."""


@dataclass(frozen=True, slots=True)
class GaussianSum:
    """One release of the noised sum, everybody taking part: nothing is amplified.

    noise_multiplier: > 0, standard deviation of the noise over the sensitivity of the sum.
    Source: Balle and Wang 2018, arXiv:1805.06530, Theorem 8 (the exact privacy profile of the Gaussian
    mechanism).
    """

    kind: ClassVar[str] = "gaussian_sum"
    noise_multiplier: float
    unit: Unit

    def __post_init__(self) -> None:
        _check(self.noise_multiplier, self.unit)

    @property
    def unamplified(self) -> "GaussianSum":
        """What a reader who grants no secret sampling sees."""
        return self


@dataclass(frozen=True, slots=True)
class PoissonGaussianSum:
    """One release of the noised sum of a secret sample: each unit of a fixed population joined with
    probability `rate`.

    True only where the draw was independent for each unit and for each round, and where nobody but the server
    learns its
    outcome: not for cohorts of a fixed size, not for shuffled batches, not for whoever happened to be on
    line. An empty sample is a noise-only release and is charged all the same.
    rate: in (0, 1).  noise_multiplier: as in `GaussianSum`.
    Source: Zhu, Dong and Wang 2022, arXiv:2106.08567 (the dominating pair of the subsampled Gaussian, both
    directions).
    """

    kind: ClassVar[str] = "poisson_gaussian_sum"
    rate: float
    noise_multiplier: float
    unit: Unit

    def __post_init__(self) -> None:
        _check(self.noise_multiplier, self.unit)
        if not 0 < self.rate < 1:
            raise BadInput(
                f"sampling rate {self.rate}: must lie between 0 and 1; for everybody, leave it out"
            )

    @property
    def unamplified(self) -> GaussianSum:
        """What a reader who grants no secret sampling sees."""
        return GaussianSum(self.noise_multiplier, self.unit)


@dataclass(frozen=True, slots=True)
class BandedGaussianSum:
    """One release of a sum whose noise is correlated with that of the rounds before, by a banded factorisation.

    True only where whoever pays for it takes part in rounds that lie at least `band` apart: then each of their releases
    costs what a `GaussianSum` of the same noise multiplier does. The ledger names them and holds them to that.
    noise_multiplier: standard deviation of the independent noise over clip bound times column norm.  band: 2 or more.
    Source: `penchant.privacy.banded`; Choquette-Choo et al. 2023, arXiv:2306.08153, Theorem 2.
    """

    kind: ClassVar[str] = "banded_gaussian_sum"
    noise_multiplier: float
    band: int
    unit: Unit

    def __post_init__(self) -> None:
        _check(self.noise_multiplier, self.unit)
        if self.band < 2:
            raise BadInput(f"a band of {self.band}: must be 2 or more (independent noise is `GaussianSum`)")

    @property
    def unamplified(self) -> "BandedGaussianSum":
        """What a reader who grants no secret sampling sees."""
        return self


PrivacyEvent: TypeAlias = GaussianSum | PoissonGaussianSum | BandedGaussianSum
_KINDS: Final[dict[str, type[PrivacyEvent]]] = {
    kind.kind: kind for kind in (GaussianSum, PoissonGaussianSum, BandedGaussianSum)
}


def to_record(event: PrivacyEvent) -> dict[str, Any]:
    """The event as JSON-ready fields, `kind` among them."""
    return {"kind": event.kind, **asdict(event), "unit": event.unit.value}


def from_record(record: Mapping[str, Any]) -> PrivacyEvent:
    """The inverse of `to_record`. Raises: BadInput naming the field that is wrong."""
    fields = dict(record)
    kind = _KINDS.get(str(fields.pop("kind", None)))
    if kind is None:
        raise BadInput(f"privacy event of kind {record.get('kind')!r}: known are {', '.join(_KINDS)}")
    try:
        return kind(**{**fields, "unit": Unit(fields.get("unit", ""))})
    except (TypeError, ValueError) as error:
        raise BadInput(f"privacy event {dict(record)}: {error}") from error


def canonical(event: PrivacyEvent) -> bytes:
    """The one byte string that stands for this event (RFC 8785), the same on every machine."""
    return rfc8785.dumps(to_record(event))


def _check(noise_multiplier: float, unit: Unit) -> None:
    if not (isfinite(noise_multiplier) and 0 < noise_multiplier < inf):
        raise BadInput(f"noise multiplier {noise_multiplier}: must be a number above 0")
    if unit is Unit.NONE:
        raise BadInput("a privacy event needs a unit: event or user")
