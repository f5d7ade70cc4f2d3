"""The results as text."""

from collections.abc import Sequence
from typing import Any

from benchmarks.compare import Row
from benchmarks.limits import Bound


def shown(
    rows: Sequence[Row], curve: Sequence[dict[str, Any]], limits: dict[str, float], bounds: Sequence[Bound]
) -> str:
    lines = [
        f"{'work':22} {'peer':30} {'ms/client':>10} {'min':>8} {'max':>8} {'cpu ms':>8} {'ratio':>7} "
        f"{'start s':>8} {'peak MB':>8}  weights differ by"
    ]
    lines += [_line(row) for row in rows]
    lines += ["", f"{'clients':>9} {'ms/client':>10} {'min':>8} {'max':>8} {'peak MB':>8}"] if curve else []
    lines += [
        f"{c['clients']:9,} {c['ms_per_client']:10.4f} {c['ms_min']:8.4f} {c['ms_max']:8.4f} {c['peak_mb']:8.0f}"
        for c in curve
    ]
    lines += ["", *(f"{name}: {value:,.2f}" for name, value in limits.items()), *_shares(rows, limits)]
    lines += ["", *_bounds(bounds)]
    return "\n".join(lines)


def _line(row: Row) -> str:
    if row.ms_per_client is None:
        return f"{row.work:22} {row.peer:30} {row.note}"
    return (
        f"{row.work:22} {row.peer:30} {row.ms_per_client:10.4f} {row.ms_min:8.4f} {row.ms_max:8.4f} "
        f"{row.cpu_ms_per_client:8.4f} {row.ratio_to_ours:7.1f} {row.startup_s:8.2f} {row.peak_mb:8.0f}  "
        f"{row.weights_differ:.1e} {row.note}"
    )


def _bounds(bounds: Sequence[Bound]) -> list[str]:
    """What each limit alone would allow, which of them binds, and how much of it is reached."""
    head = (
        f"{'ours, ms/client':22} {'measured':>9} {'arithmetic':>11} {'memory':>8} {'noise':>8}  "
        f"{'binds':15} {'reached':>7}  share of the matrix rate"
    )
    lines = [
        f"{one.work:22} {one.ms_per_client:9.4f} {one.arithmetic_ms:11.4f} {one.memory_ms:8.4f} "
        f"{one.noise_ms:8.5f}  {one.binds:15} {one.share:7.0%}  {one.matmul_share:.0%}"
        for one in bounds
    ]
    return [head, *lines]


def _shares(rows: Sequence[Row], limits: dict[str, float]) -> list[str]:
    """A device's arithmetic over our time, as a share of the matrix rate: above 1 where rewriting saves arithmetic."""
    lines = []
    for row in rows:
        flops = limits.get(f"{row.work.split(',')[0]} megaflops")
        if row.peer == "penchant" and row.ms_per_client and flops:
            floor = flops / limits["matmul_gflops"]
            lines.append(
                f"{row.work}: {row.ms_per_client:.4f} ms; a device's arithmetic at the matrix rate: {floor:.4f} ms"
                f" ({floor / row.ms_per_client:.0%})"
            )
    return lines
