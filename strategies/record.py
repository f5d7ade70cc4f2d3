"""What a run writes down about itself, wherever it runs: versions, code, mechanism, model, cost."""

import resource
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from penchant.config import CompanySettings, FederationSettings, PrivacySettings
from penchant.interest import InterestModel, TensorLayout
from penchant.strategies.cohort import separation
from penchant.strategies.guarantee import Guarantee
from penchant.strategies.resolution import count_releases, metrics_release

_VERSIONED: Final = (
    "penchant",
    "flwr",
    "torch",
    "opacus",
    "dp-accounting",
    "transformers",
    "numpy",
    "safetensors",
    "cryptography",
)


def versions() -> dict[str, str]:
    """Of the packages that a result depends on."""
    return {name: version(name) for name in _VERSIONED}


def privacy_record(
    guarantee: Guarantee,
    privacy: PrivacySettings,
    federation: FederationSettings,
    *,
    people: int,
    company: CompanySettings | None = None,
) -> dict[str, Any]:
    """The mechanism of every round, what is released besides, and what may be spent."""
    metrics = metrics_release(privacy)
    counts = count_releases(privacy, federation, company)
    return {
        "unit": guarantee.unit.value,
        "noise_at": guarantee.noise_at.value,
        "noise_multiplier": guarantee.noise_multiplier,
        "clip_bound": guarantee.clip_bound,
        **_following(guarantee),
        "epsilon_limit": privacy.epsilon,
        "delta": privacy.delta,
        "rounds": federation.rounds,
        "sampling": federation.sampling.value,
        "sampling_rate": guarantee.poisson_rate,
        "separation": separation(people, federation),
        "band": guarantee.band,
        "counts_noise_multipliers": {str(what): event.noise_multiplier for what, event in counts.items()},
        "metrics_share": privacy.metrics_share,
        "metrics_noise_multiplier": None if metrics is None else metrics.noise_multiplier,
        "reproducible_noise": privacy.reproducible_noise,
    }


def _following(guarantee: Guarantee) -> dict[str, float | None]:
    """How a round's noise multiplier is shared out between update and votes, where the clip bound follows them."""
    following = guarantee.following
    if following is None:
        return dict.fromkeys(("clip_quantile", "update_noise_multiplier", "votes_noise_multiplier"))
    return {
        "clip_quantile": following.quantile,
        "update_noise_multiplier": guarantee.server_noise_multiplier,
        "votes_noise_multiplier": following.noise_multiplier,
    }


def model_record(model: InterestModel) -> dict[str, Any]:
    """How much travels and how much stays, and which tensors may travel."""
    shared = TensorLayout.shared(model)
    return {
        "shared_parameters": shared.size,
        "personal_parameters": TensorLayout.personal(model).size,
        "shared_tensors": {name: list(shape) for name, shape in shared.shapes},
    }


def cost(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Totals over a run's rounds. seconds: spent in rounds, evaluation apart."""
    updates = sum(row["clients"] for row in rows)
    seconds = sum(row["seconds"] for row in rows)
    return {
        "client_updates": updates,
        "seconds": seconds,
        "ms_per_client": 1000 * seconds / updates if updates else 0.0,
        "bytes_up": sum(row["bytes_up"] for row in rows),
        "bytes_down": sum(row["bytes_down"] for row in rows),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def code() -> dict[str, Any]:
    """The commit of a checkout, and whether it was changed; an installed wheel knows its version alone."""
    folder = Path(__file__).resolve().parent
    commit = _git(folder, "rev-parse", "HEAD")
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain")) if commit else None}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
