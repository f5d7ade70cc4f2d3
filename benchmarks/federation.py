"""A work as Penchant runs it: the federation that `penchant simulate` would build, from a work's own numbers."""

from types import SimpleNamespace
from typing import cast

from benchmarks.work import Work
from penchant.simulation.federation import Federation
from penchant.simulation.settings import validated
from penchant.simulation.world import World


def federation_of(work: Work, kind: type[Federation] = Federation, *, repeat: int = 1) -> Federation:
    """kind: what to build.  repeat: times that the work's people are there."""
    histories = tuple(work.histories) * repeat
    settings = validated(
        {
            **work.settings,
            "data": "benchmark",
            "federation": {"rounds": len(work.negatives), "sampling": "all"},
            "optimizer": {"name": "fedavg", "learning_rate": 1.0, "momentum": 0.0, "schedule": "constant"},
        },
        source="benchmark",
    )
    world = SimpleNamespace(
        items=SimpleNamespace(vectors=work.vectors),
        histories=histories,
        n_people=len(histories),
        offered=None,
    )
    return kind.of(settings, cast(World, world))
