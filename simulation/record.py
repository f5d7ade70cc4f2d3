"""What a run writes down about itself: settings, versions, data, code, mechanism, cost."""

import resource
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from penchant.interest import TensorLayout
from penchant.simulation.federation import Federation
from penchant.strategies.cohort import separation

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


def run_record(federation: Federation) -> dict[str, Any]:
    """run.json at the start of a run."""
    settings, world = federation.settings, federation.world
    return {
        "settings": settings.model_dump(mode="json"),
        "seed": settings.seed,
        "versions": {name: version(name) for name in _VERSIONED},
        "dataset": {
            "name": world.dataset.name,
            "digest": world.dataset.digest,
            "source": world.dataset.source,
            "n_users": world.n_people,
            "n_items": len(world.dataset.catalogue),
            "n_events": world.dataset.behaviours.n_events,
        },
        "catalogue_digest": world.dataset.catalogue.digest,
        "encoder": {**settings.encoder.model_dump(mode="json"), "digest": world.items.digest},
        "code": _code(),
        "privacy": _privacy(federation),
        "model": _model(federation),
        "cost": None,
        "started_at": now(),
        "finished_at": None,
    }


def cost(rows: list[dict[str, Any]]) -> dict[str, float]:
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


def _privacy(federation: Federation) -> dict[str, Any]:
    guarantee, settings = federation.guarantee, federation.settings
    return {
        "unit": guarantee.unit.value,
        "noise_at": guarantee.noise_at.value,
        "noise_multiplier": guarantee.noise_multiplier,
        "clip_bound": guarantee.clip_bound,
        "epsilon_limit": settings.privacy.epsilon,
        "delta": settings.privacy.delta,
        "rounds": settings.federation.rounds,
        "sampling": settings.federation.sampling.value,
        "sampling_rate": guarantee.poisson_rate,
        "separation": separation(federation.world.n_people, settings.federation),
        "band": guarantee.band,
        "reproducible_noise": settings.privacy.reproducible_noise,
    }


def _model(federation: Federation) -> dict[str, Any]:
    return {
        "shared_parameters": federation.layout.size,
        "personal_parameters": TensorLayout.personal(federation.model).size,
        "shared_tensors": {name: list(shape) for name, shape in federation.layout.shapes},
    }


def _code() -> dict[str, Any]:
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
