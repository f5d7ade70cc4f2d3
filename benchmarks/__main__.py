"""`make bench`: Penchant beside its peers, how it grows, and how far it is from what the machine can do."""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import works
from benchmarks.arithmetic import megaflops_per_client
from benchmarks.compare import Row, compare
from benchmarks.demand import demand
from benchmarks.environments import (
    BLAZEFL,
    FEDJAX,
    FLOWER,
    LOOP,
    OPACUS,
    OURS,
    PFL,
    Peer,
    Unavailable,
    python_of,
)
from benchmarks.growth import growth
from benchmarks.limits import Bound, measured
from benchmarks.plot import drawn
from benchmarks.tables import shown
from benchmarks.work import Work

_HERE = Path(__file__).parent
_PLAIN = (LOOP, FEDJAX, PFL, FLOWER)


def main() -> int:
    """Exit code 1 when a peer ends on other weights."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--repeats", type=int, default=5, help="rounds that are timed; the median counts")
    options.add_argument(
        "--people", type=int, default=1000, help="clients a round of the 28,800-parameter head"
    )
    options.add_argument("--film-people", type=int, default=200, help="clients a round of MovieLens-1M")
    options.add_argument(
        "--without", action="append", default=[], help="a peer to leave out, by its environment"
    )
    options.add_argument("--no-growth", action="store_true", help="leave out the growth curve")
    options.add_argument("--out", type=Path, default=_HERE / "results.json")
    told = options.parse_args()
    peers = [peer for peer in _PLAIN if peer.environment not in told.without]
    by_opacus = [] if "torch" in told.without else [OPACUS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        head, films = works.head(told.people), works.movielens(told.film_people)
        limits = {**measured(), **{f"{n} megaflops": megaflops_per_client(w) for n, w in _named(head, films)}}
        rows: list[Row] = []
        bounds: list[Bound] = []
        for title, work in _named(head, films):
            for name, path, rivals in _paths(title, work, peers, by_opacus):
                compared = compare(
                    name, path, rivals, folder=folder, repeats=told.repeats, noisy=path is not work
                )
                rows += compared
                ours = next(row.ms_per_client for row in compared if row.peer == OURS.name)
                if ours is not None:
                    bounds.append(Bound.of(name, ours, demand(path), limits))
            rows.append(_missing(title))
        curve = [] if told.no_growth else growth(head, folder)
    record = {
        "machine": _machine(),
        "limits": limits,
        "rows": [row.record() for row in rows],
        "bounds": [bound.record() for bound in bounds],
        "growth": curve,
    }
    told.out.write_text(json.dumps(record, indent=2) + "\n")
    told.out.with_suffix(".svg").write_text(drawn(rows, curve))
    print(shown(rows, curve, limits, bounds))
    return int(any("DIFFER" in row.note for row in rows))


def _named(head: Work, films: Work) -> list[tuple[str, Work]]:
    return [("head", head), ("MovieLens-1M", films)]


def _paths(
    title: str, work: Work, peers: Sequence[Peer], by_opacus: Sequence[Peer]
) -> list[tuple[str, Work, Sequence[Peer]]]:
    """A work in each privacy setting, and who can do the same."""
    return [
        (title, work, peers),
        (f"{title}, user", works.private(work, "user", "server"), []),
        (f"{title}, event", works.private(work, "event", "client"), by_opacus),
    ]


def _missing(title: str) -> Row:
    """BlazeFL has no release for this Python, so nothing that drives it could be tried here."""
    try:
        python_of(BLAZEFL)
    except Unavailable as error:
        return Row(title, BLAZEFL.name, note=f"not run: {error}")
    return Row(title, BLAZEFL.name, note="not run: it installs here, but no driver for it was ever tried")


def _machine() -> dict[str, Any]:
    return {"processor": _processor(), "cores": len(_cores()), "python": platform.python_version()}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _cores() -> set[int]:
    import os

    return os.sched_getaffinity(0)


if __name__ == "__main__":
    sys.exit(main())
