"""One picture: milliseconds a client, on a logarithmic scale."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from benchmarks.compare import Row

_LEFT, _WIDTH, _ROW = 380, 520, 22


def drawn(rows: Sequence[Row], curve: Sequence[dict[str, Any]]) -> str:
    """An SVG of bars with their range; the growth curve's points follow as bars of their own."""
    bars = [
        (f"{row.work} | {row.peer}", row.ms_per_client, row.ms_min, row.ms_max)
        for row in rows
        if row.ms_per_client
    ]
    bars += [
        (
            f"head | penchant, {c['clients']:,} clients, {c['peak_mb']:.0f} MB",
            c["ms_per_client"],
            c["ms_min"],
            c["ms_max"],
        )
        for c in curve
    ]
    low = min(bar[2] for bar in bars) / 1.5
    high = max(bar[3] for bar in bars) * 1.5

    def x(ms: float) -> float:
        return _LEFT + _WIDTH * math.log(ms / low) / math.log(high / low)

    parts = [_bar(index, *bar, x) for index, bar in enumerate(bars)]
    height = _ROW * (len(bars) + 2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 90}" height="{height}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{_LEFT}" y="14">ms per client, logarithmic; line: minimum to maximum</text>'
        f"{''.join(parts)}</svg>\n"
    )


def _bar(index: int, name: str, ms: float, low: float, high: float, x: Any) -> str:
    top = _ROW * (index + 1)
    colour = "#2b6cb0" if "penchant" in name else "#a0aec0"
    return (
        f'<text x="{_LEFT - 8}" y="{top + 15}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_LEFT}" y="{top + 4}" width="{x(ms) - _LEFT:.1f}" height="{_ROW - 8}" fill="{colour}"/>'
        f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{top + 11}" y2="{top + 11}" stroke="black"/>'
        f'<text x="{x(high) + 6:.1f}" y="{top + 15}">{ms:.3g}</text>'
    )
