"""What a simulated run writes down about itself: settings, versions, data, code, mechanism, cost."""

import secrets
from typing import Any

from penchant.simulation.federation import Federation
from penchant.strategies.record import code, cost, model_record, now, privacy_record, versions

__all__ = ["cost", "now", "run_record"]


def run_record(federation: Federation) -> dict[str, Any]:
    """run.json at the start of a run."""
    settings, world = federation.settings, federation.world
    return {
        "id": secrets.token_hex(8),
        "settings": settings.model_dump(mode="json"),
        "seed": settings.seed,
        "versions": versions(),
        "dataset": {
            "name": world.dataset.name,
            "digest": world.dataset.digest,
            "source": world.dataset.source,
            "timed": world.dataset.timed,
            "n_users": world.n_people,
            "n_items": len(world.dataset.catalogue),
            "n_events": world.dataset.behaviours.n_events,
        },
        "catalogue_digest": world.dataset.catalogue.digest,
        "encoder": {**settings.encoder.model_dump(mode="json"), "digest": world.items.digest},
        "code": code(),
        "privacy": privacy_record(
            federation.guarantee,
            settings.privacy,
            settings.federation,
            people=world.n_people,
            company=settings.company,
        ),
        "model": {**model_record(federation.model), "counted": _counted(federation)},
        "lineage": federation.origin and federation.origin.lineage(world.dataset.catalogue),
        "cost": None,
        "started_at": now(),
        "finished_at": None,
    }


def _counted(federation: Federation) -> dict[str, int]:
    """How many numbers each count releases."""
    terms = federation.counting
    return {} if terms is None else {str(what): terms.layout(what).size for what in terms.guarantees}
