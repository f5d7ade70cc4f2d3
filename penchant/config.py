"""Settings that every folder shares: frozen, typed, one docstring a field."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from penchant.errors import BadInput
from penchant.types import NoiseAt, Sampling, Unit


class Settings(BaseModel):
    """Base of all settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


_Model = TypeVar("_Model", bound=Settings)


def read_toml(path: Path, *, missing: str) -> dict[str, Any]:
    """Raises: BadInput where there is no such file, for which `missing` tells the cure, or it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: {missing}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not TOML ({error})") from error


def checked(model: type[_Model], record: Mapping[str, Any], *, source: str) -> _Model:
    """The settings that a record tells. Raises: BadInput with one line for each that is wrong."""
    try:
        return model.model_validate(record)
    except ValidationError as error:
        raise BadInput("\n".join(f"{source}: {_told(e)}" for e in error.errors())) from error


def _told(error: Any) -> str:
    key = ".".join(map(str, error["loc"])) or "settings"
    given = "" if isinstance(error["input"], dict) else f" = {error['input']!r}"
    return f"{key}{given}: {error['msg']}"


class ModelSettings(Settings):
    """The interest model's shape."""

    width: int = Field(default=32, ge=1, le=1024)
    """Numbers that describe an interest: the head maps item vectors to this many."""

    half_lives: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(6.6,), min_length=1, max_length=4)
    """Half-lives, in events, of the memories that the history is kept in; what they remember adds up."""

    tied: bool = True
    """An item means the same as a wish and in each memory; false learns a part of the head for each of these roles."""

    residual_scale: float = Field(default=0.0, ge=0)
    """Unit of a part of each item's place that is the item's own, beside what its text says; 0 leaves it out."""

    learn_head: bool = True
    """Train the head; false keeps it as plain text similarity, so that the noise falls on the priors alone."""

    learn_half_lives: bool = False
    """Train the half-lives with the head, instead of keeping them."""

    prior_scale: float = Field(default=20.0, gt=0)
    """Unit of the items' prior: how much of a clipped update goes to the prior rather than to the head."""

    adapter_rank: int = Field(default=4, ge=1)
    """Rank of the personal residual on the head."""


class CompanySettings(Settings):
    """What keeps company with what: how often items, and pairs of items, occur, counted once before any training."""

    items: int = Field(default=0, ge=0)
    """How many of the most liked items are counted in pairs; 0 leaves this part of the model out. It needs a server
    that is trusted to add the noise: where clients add their own, it is left out as well."""

    window: int = Field(default=12, ge=1, le=1000)
    """Events that two items may lie apart in a history to count as a pair."""

    half_life: float = Field(default=4.0, gt=0)
    """Distance, in events, at which a pair counts half."""

    ordered: bool = False
    """Whether a pair is counted by which item came first: twice the numbers, each with as much noise. It pays where
    noise is small beside counts. Votes are cast on pairs without order alone."""

    damping: float = Field(default=0.2, ge=0, le=1)
    """How much less a pair of much liked items counts than one of seldom liked: power of how much each is liked."""

    popularity_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of what the counts may cost that pays for counting single items; pairs get the rest."""

    typical_items: int = Field(default=1, ge=1)
    """Items up to which those who have more add more to the item counts, as in a plain count; beyond, everybody adds
    alike. Where the unit is none or user. A large number serves new people better, and is the noisier the fewer items
    people have."""

    share: float = Field(default=0.5, gt=0, lt=1)
    """Share of the run's squared loss that pays for the counts; rounds of training get the rest. Without any round the
    counts get all of it."""

    trust: float = Field(default=10.0, gt=0)
    """How far a pair's count may plausibly lie from what likings and texts let expect, as a multiple of that."""

    source_power: float = Field(default=0.8, ge=0, le=1)
    """How far an item of the history speaks less for others the more it is liked itself; 1: as a conditional chance."""

    target_power: float = Field(default=0.3, ge=0, le=1)
    """How far items that everybody likes are held back in favour of particular ones."""

    memory: float = Field(default=1.5, gt=0)
    """Half-life, in events, of the history that is asked with."""

    text_memory: float = Field(default=200.0, gt=0)
    """The same for items that nobody could meet while counting: their texts are held against the whole history."""

    evidence: float = Field(default=1.0, ge=0)
    """Weight of one's own events against what everybody likes, where many are known; 1: as they were counted."""

    prior_events: float = Field(default=0.0, ge=0)
    """Events at which half of that weight is reached: a newcomer is shown more of what everybody likes."""

    gate_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of what the counts may cost that pays for learning weight and memory, by how many events are known, from
    votes of everybody; `evidence`, `prior_events` and `memory` are then not used. 0 learns nothing."""

    head_weight: float = Field(default=0.0, ge=0)
    """Weight of the trained head's scores beside the logarithm of the company's; 0 serves by company alone."""

    neighbours: int = Field(default=256, ge=1)
    """Items kept as company of each; what a device holds grows with it."""

    tastes: int = Field(default=0, ge=0)
    """Directions of taste that pairs are condensed into; 0: pairs as they are. It serves where a long past is asked for
    what it says of something else, as where a domain is new to somebody; what comes next hangs on single pairs."""

    @model_validator(mode="after")
    def _order_stands_alone(self) -> "CompanySettings":
        if self.ordered and (self.gate_share or self.tastes):
            raise ValueError(
                "votes and tastes are of pairs without order; leave out ordered, or gate_share and tastes"
            )
        return self


class TrainingSettings(Settings):
    """What a client does with its own history in one round."""

    local_steps: int = Field(default=1, ge=1)
    """Gradient steps on the head each round, where the unit is none or user."""

    local_learning_rate: float = Field(default=1.0, gt=0)
    """Step size of those steps. With one step the server's optimizer sets the pace."""

    negatives: int = Field(default=256, ge=0)
    """Items drawn each round, the same for all clients, as wrong answers; 0 ranks the whole catalogue."""

    event_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Chance of an event to be missing from the memories of a round, where the unit is none or user."""

    state_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Chance of a number of a state to be missing from a round, where the unit is none or user."""

    max_history: int = Field(default=50, ge=2)
    """Latest events of a person that training looks at, where the unit is none or user."""

    chunk_length: int = Field(default=4, ge=2)
    """Events in one disjoint chunk, the sample of the `event` unit."""

    adapter_steps: int = Field(default=1, ge=0)
    """Gradient steps on the personal adapter after each round's head."""

    final_adapter_steps: int = Field(default=10, ge=0)
    """Gradient steps on the personal adapter once the last head has arrived."""

    adapter_learning_rate: float = Field(default=0.05, gt=0)
    """Step size of the adapter's steps."""

    adapter_weight_decay: float = Field(default=2.0, ge=0)
    """Pull of the adapter towards zero, per step and step size."""


class OptimizerSettings(Settings):
    """How the server turns the mean update into the next head."""

    name: str = Field(default="fedavg", pattern="^(fedadam|fedavg)$")
    """fedavg with momentum, or fedadam (Reddi et al. 2021)."""

    learning_rate: float = Field(default=1.7, gt=0)
    """Server step size at the start."""

    schedule: str = Field(default="cosine", pattern="^(constant|cosine)$")
    """constant, or cosine: the step size falls to zero over the run's rounds."""

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the first moment."""

    second_moment: float = Field(default=0.99, ge=0, lt=1)
    """Decay of the second moment (fedadam)."""

    floor: float = Field(default=1e-8, gt=0)
    """Added to the root of the second moment (fedadam)."""


class PrivacySettings(Settings):
    """What is protected, from whom, how much of it may be spent."""

    unit: Unit = Unit.USER
    """none, event (one interaction) or user (everything one person ever did)."""

    noise_at: NoiseAt = NoiseAt.SERVER
    """Who adds the noise: client (trusts nobody) or server."""

    epsilon: float | None = Field(default=8.0, gt=0)
    """The most that the run may spend. The noise is calibrated to it unless `noise_multiplier` is given."""

    delta: float = Field(default=1e-5, gt=0, lt=1)
    """Probability that the bound does not hold; below one over the number of people."""

    noise_multiplier: float | None = Field(default=None, gt=0)
    """Standard deviation of the noise over the clip bound; null calibrates it from epsilon."""

    clip_bound: float = Field(default=0.3, gt=0)
    """Largest L2 norm of one protected contribution."""

    band: int | None = Field(default=None, ge=1)
    """Rounds over which the server's noise is correlated, where people take turns by rotation; 1 is independent noise,
    null takes what leaves the least noise for the same epsilon."""

    clip_quantile: float | None = Field(default=None, gt=0, lt=1)
    """Let the clip bound follow this quantile of the updates' norms, from `clip_bound` on; null keeps it fixed."""

    clip_learning_rate: float = Field(default=0.2, gt=0)
    """How fast the bound's logarithm follows."""

    clip_share: float = Field(default=0.05, gt=0, lt=1)
    """Share of each round's squared loss that pays for following it."""

    metrics_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the budget's squared loss that pays for accuracy by group, released once at the end; 0 releases none."""

    reproducible_noise: bool = False
    """Draw the noise from the run's seed. For simulations only: it then protects nobody, and the report says so."""


class FederationSettings(Settings):
    """Rounds and cohorts."""

    rounds: int = Field(default=120, ge=0)
    """Rounds of training; 0 trains nothing."""

    cohort: int | None = Field(default=None, ge=1)
    """People expected each round; null takes everyone."""

    sampling: Sampling = Sampling.ALL
    """all; fixed (so many without replacement: no amplification is claimed); poisson (each joins by chance, secretly);
    or rotation (fixed groups take turns, so that everybody's rounds lie equally far apart)."""

    round_deadline_seconds: float = Field(default=600.0, gt=0)
    """How long a round waits for its clients."""

    min_replies: float = Field(default=0.5, ge=0, le=1)
    """Share of those invited below which a round is aborted. Not of the expected cohort: a secret sample may be small
    or empty, and is then released as it is; what the sum is divided by is the expected cohort in any case."""

    @model_validator(mode="after")
    def _cohort_fits_sampling(self) -> "FederationSettings":
        if (self.cohort is None) != (self.sampling is Sampling.ALL):
            raise ValueError(
                "give `cohort` with sampling fixed, poisson or rotation, and leave it out with sampling all"
            )
        return self
