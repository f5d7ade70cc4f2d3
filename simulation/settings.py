"""The settings of one run: a TOML recipe, flags on top, every default written down."""

import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from penchant.config import (
    CompanySettings,
    FederationSettings,
    ModelSettings,
    OptimizerSettings,
    PrivacySettings,
    Settings,
    TrainingSettings,
    checked,
    read_toml,
)
from penchant.encoders import EncoderSettings
from penchant.errors import BadInput
from penchant.rundir import RunDirectory
from penchant.types import NoiseAt, Sampling, Unit


class EngineName(StrEnum):
    """What trains the clients of a simulation."""

    COHORT = "cohort"
    FLOWER = "flower"
    RAY = "ray"


class Device(StrEnum):
    """Where a cohort's tensors live."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class HoldOutSettings(Settings):
    """Who and what stays out of training entirely, to see afterwards how strangers are served."""

    people: float = Field(default=0.0, ge=0, lt=1)
    """Share of the people."""

    items: float = Field(default=0.0, ge=0, lt=1)
    """Share of the items."""


class RunSettings(Settings):
    """Everything that decides a run's result, the data set's content apart."""

    data: str = "movielens-100k"
    """A known data set, or the path of your own."""

    min_user_events: int = Field(default=0, ge=0)
    """Keep the people who have so many events on items that are kept; 0 keeps all."""

    min_item_events: int = Field(default=0, ge=0)
    """Keep the items that so many events of people who are kept name, and no others in the catalogue; 0 keeps all."""

    target_domain: str | None = None
    """The domain whose items are held out, ranked and recommended, where items have one; null: all items."""

    origin: str | None = None
    """Path of a finished run whose head this one starts from, on this catalogue; null starts afresh."""

    seed: int = Field(default=0, ge=0)
    """Decides initial weights, negatives and simulated cohorts. Never the noise, unless that is to be reproducible."""

    engine: EngineName = EngineName.COHORT
    """cohort (all clients of a round as stacked tensors), flower (one Flower ClientApp each, as on a device) or ray
    (shards of a cohort on Ray workers)."""

    workers: int = Field(default=2, ge=1)
    """Ray workers, where the engine is ray."""

    device: Device = Device.AUTO
    """auto (a GPU where there is one), cpu or cuda: where the engines cohort and ray compute."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Chance of a client to be away from a round, by a seeded schedule that is the same on every engine."""

    evaluate_every: int = Field(default=5, ge=0)
    """Rounds between two looks at the validation items (simulation only); 0 looks once, at the end."""

    threads: int = Field(default=1, ge=1)
    """Threads for tensor operations. More help on large catalogues, and hurt on a machine that is busy otherwise."""

    trials: int = Field(default=0, ge=0)
    """How many settings were tried on the validation items of the same people before these were chosen; the report says
    what that would have cost, had each trial been charged."""

    account: str | None = None
    """Path of a ledger that several runs on the same people share: what each person spends adds up in it."""

    lifetime_epsilon: float | None = Field(default=None, gt=0)
    """The most that one person may ever spend in `account`; whoever has spent it trains no more."""

    hold_out: HoldOutSettings = HoldOutSettings()
    encoder: EncoderSettings = EncoderSettings()
    company: CompanySettings = CompanySettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    federation: FederationSettings = FederationSettings()
    privacy: PrivacySettings = PrivacySettings()

    @model_validator(mode="after")
    def _parts_fit(self) -> "RunSettings":
        privacy, training = self.privacy, self.training
        if privacy.unit is Unit.EVENT and training.local_steps != 1:
            raise ValueError(
                "training.local_steps must be 1 where the unit is event: each step would be a release"
            )
        if privacy.noise_at is NoiseAt.CLIENT and self.federation.sampling is Sampling.POISSON:
            raise ValueError(
                "a client that adds its own noise gains nothing from poisson sampling; use fixed or all"
            )
        if privacy.unit is not Unit.NONE and privacy.epsilon is None and privacy.noise_multiplier is None:
            raise ValueError("give privacy.epsilon or privacy.noise_multiplier")
        counts = self.company.items > 0 and privacy.noise_at is NoiseAt.SERVER
        if self.federation.rounds == 0 and not counts and privacy.unit is not Unit.NONE:
            raise ValueError(
                "federation.rounds 0 learns nothing from anybody unless company.items are counted at the server"
            )
        if (self.account is None) != (self.lifetime_epsilon is None):
            raise ValueError("account and lifetime_epsilon go together")
        return self


def load_settings(
    recipe: Path | None, overrides: Mapping[str, Any], assignments: Sequence[str] = ()
) -> RunSettings:
    """A recipe, then flags (dotted keys; None is not given), then `--set key=value` texts, the later over the earlier.

    Raises: BadInput naming the file and key, what was given and what would do.
    """
    record = merged(recipe, overrides, assignments)
    return validated(_continued(record) if record.get("origin") else record, source=str(recipe or "settings"))


def _continued(record: dict[str, Any]) -> dict[str, Any]:
    """Encoder and model are the origin's, where nothing else is said; a run that learns nothing spends nothing."""
    before = RunDirectory.existing(Path(record["origin"])).read_settings()["settings"]
    inherited = {group: {**before[group], **record.get(group, {})} for group in ("encoder", "model")}
    privacy = record.get("privacy", {})
    if record.get("federation", {}).get("rounds") == 0 and not record.get("company", {}).get("items"):
        privacy = {"unit": Unit.NONE, **privacy}
    return {**record, **inherited, "privacy": privacy}


def merged(
    recipe: Path | None, overrides: Mapping[str, Any], assignments: Sequence[str] = ()
) -> dict[str, Any]:
    """As `load_settings`, not yet held against any model of settings."""
    record = read_toml(recipe, missing="no such recipe") if recipe else {}
    for key, value in overrides.items():
        if value is not None:
            _assign(record, key, value)
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator:
            raise BadInput(f"--set {assignment}: expected key=value, for instance --set model.width=32")
        _assign(record, key.strip(), _value(text.strip()))
    return record


def validated(record: Mapping[str, Any], *, source: str) -> RunSettings:
    """Raises: BadInput with one line for each setting that is wrong."""
    return checked(RunSettings, record, source=source)


def _assign(settings: dict[str, Any], key: str, value: Any) -> None:
    *groups, name = key.split(".")
    for group in groups:
        settings = settings.setdefault(group, {})
        if not isinstance(settings, dict):
            raise BadInput(f"{key}: {group} is not a group of settings")
    settings[name] = value


def _value(text: str) -> Any:
    if text == "null":
        return None
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
