"""The settings of a deployment: one TOML file, every default written down."""

from pathlib import Path
from typing import Any, Final

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
from penchant.types import NoiseAt, Sampling, Unit

_MIB: Final = 1 << 20


class ServerSettings(Settings):
    """Where the server listens, and how long it waits."""

    name: str = Field(default="penchant", min_length=1, max_length=60)
    """What the federation calls itself."""

    host: str = "127.0.0.1"
    """Address to listen on. Loopback unless it is said otherwise."""

    port: int = Field(default=9443, ge=1, le=65535)
    """Port for clients (TLS) and for the owner's own commands."""

    public_names: tuple[str, ...] = ("localhost", "127.0.0.1")
    """Host names and addresses in the server's certificate; clients use the first."""

    certificate_days: int = Field(default=397, ge=1)
    """Days that a server certificate is valid."""

    health_port: int = Field(default=9444, ge=0, le=65535)
    """Port of the gRPC health service; 0 leaves it out."""

    metrics_port: int = Field(default=9445, ge=0, le=65535)
    """Port of the Prometheus endpoint; 0 leaves it out."""

    population: int = Field(default=100, ge=1)
    """How many people the federation is for, a public number: the denominator of every round's mean."""

    min_clients: int = Field(default=2, ge=1)
    """Clients on line without which no round starts."""

    join_seconds: float = Field(default=600.0, gt=0)
    """How long a round waits for `min_clients`; then the run ends, and says so."""

    max_message_bytes: int = Field(default=16 * _MIB, ge=4096)
    """Largest request that is read from anybody."""


class DeploymentSettings(Settings):
    """Everything that decides what a deployment does."""

    seed: int = Field(default=0, ge=0)
    """Decides initial weights and negatives. Never the noise."""

    server: ServerSettings = ServerSettings()
    encoder: EncoderSettings = EncoderSettings()
    company: CompanySettings = CompanySettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    federation: FederationSettings = FederationSettings()
    privacy: PrivacySettings = PrivacySettings()

    @model_validator(mode="after")
    def _parts_fit(self) -> "DeploymentSettings":
        privacy = self.privacy
        if privacy.reproducible_noise:
            raise ValueError("privacy.reproducible_noise is for simulations: here it would protect nobody")
        if privacy.metrics_share:
            raise ValueError(
                "privacy.metrics_share is for simulations: a server releases no figures, noised or not"
            )
        if self.federation.sampling not in (Sampling.ALL, Sampling.FIXED):
            raise ValueError(
                "federation.sampling must be all or fixed: poisson claims a secret draw, and whoever watches the "
                "network sees who is asked; rotation needs people who are there when their turn comes"
            )
        if privacy.unit is Unit.EVENT and self.training.local_steps != 1:
            raise ValueError("training.local_steps must be 1 where the unit is event")
        if privacy.unit is not Unit.NONE and privacy.epsilon is None:
            raise ValueError("privacy.epsilon must be given: the most that the run may spend")
        return self

    @model_validator(mode="after")
    def _something_is_learned(self) -> "DeploymentSettings":
        if (
            self.company.items
            and self.privacy.unit is not Unit.NONE
            and self.privacy.noise_at is NoiseAt.CLIENT
        ):
            raise ValueError(
                "company.items are counted where the server adds the noise: set privacy.noise_at to server, or "
                "company.items to 0"
            )
        if self.federation.rounds == 0 and not self.company.items:
            raise ValueError(
                "federation.rounds 0 learns nothing from anybody unless company.items are counted"
            )
        return self

    @model_validator(mode="after")
    def _enough_people(self) -> "DeploymentSettings":
        if self.server.min_clients > self.server.population:
            raise ValueError("server.min_clients is more than server.population")
        return self


def read_settings(path: Path) -> DeploymentSettings:
    """Raises: BadInput naming the file and each setting that is wrong."""
    record = read_toml(path, missing="no such file; `penchant server init` makes a deployment")
    return validated(record, source=str(path))


def validated(record: dict[str, Any], *, source: str) -> DeploymentSettings:
    """Raises: BadInput with one line for each setting that is wrong."""
    return checked(DeploymentSettings, record, source=source)
