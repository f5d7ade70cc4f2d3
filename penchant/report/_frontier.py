"""What privacy costs in accuracy: NDCG against epsilon over several seeds, as a record and a picture."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penchant.errors import EnvironmentMissing
from penchant.report._saved import SavedRun

Record = dict[str, Any]


def frontier_record(runs: Mapping[str, Sequence[SavedRun]]) -> Record:
    """runs: finished runs of several seeds under each wish, "none" or an epsilon as text.

    Points hold every seed's figure, their mean and their sample standard deviation (null for one seed).
    """
    points = [_point(wish, saved) for wish, saved in runs.items()]
    first = next(iter(runs.values()))[0]
    return {
        "metric": "ndcg@10",
        "dataset": first.record["dataset"]["name"],
        "unit": next((p["unit"] for p in points if p["unit"] != "none"), "none"),
        "points": points,
        "baselines": {
            name: figures["full"]["ndcg@10"] for name, figures in first.evaluation["baselines"].items()
        },
    }


def _point(wish: str, runs: Sequence[SavedRun]) -> Record:
    figures = [run.evaluation["test"]["full"] for run in runs]
    return {
        "epsilon": None if wish == "none" else float(wish),
        "unit": runs[0].record["privacy"]["unit"],
        "delta": runs[0].record["privacy"]["delta"],
        "seeds": [run.record["seed"] for run in runs],
        **{name: _spread([figure[name] for figure in figures]) for name in ("ndcg@10", "hr@10")},
    }


def _spread(values: Sequence[float]) -> Record:
    return {
        "values": list(values),
        "mean": statistics.fmean(values),
        "deviation": statistics.stdev(values) if len(values) > 1 else None,
    }


def draw_frontier(record: Record, paths: Sequence[Path]) -> None:
    """Write the picture in the format that each path's ending names.

    Raises: EnvironmentMissing without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EnvironmentMissing(
            "drawing needs matplotlib; install it with `pip install penchant[plots]`"
        ) from error
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    private = [point for point in record["points"] if point["epsilon"] is not None]
    free = [point for point in record["points"] if point["epsilon"] is None]
    if private:
        _draw_points(axes, private)
    for point in free:
        label = "the same without privacy" if private else "Penchant, without privacy"
        axes.axhline(point["ndcg@10"]["mean"], color="#1b6ca8", linestyle="--", label=label)
    for (name, value), colour in zip(record["baselines"].items(), _GREYS, strict=False):
        axes.axhline(value, color=colour, linestyle=":", label=f"{name} (centralised)")
    axes.autoscale(axis="y")  # horizontal lines alone leave it at 0 to 1
    axes.set(ylabel="NDCG@10, test items", ylim=(0, None))
    if private:
        axes.set_xlabel(f"ε of one {record['unit']} (log scale)")
        axes.set_title(f"{record['dataset']}: accuracy against privacy")
    else:
        axes.set_xticks([])
        axes.set_title(f"{record['dataset']}: accuracy without privacy")
    axes.legend(fontsize=8)
    for path in paths:
        figure.savefig(path, dpi=150)


_GREYS = ("#555555", "#999999", "#bbbbbb")


def _draw_points(axes: Any, points: Sequence[Record]) -> None:
    means = [point["ndcg@10"]["mean"] for point in points]
    spreads = [point["ndcg@10"]["deviation"] or 0.0 for point in points]
    epsilons = [point["epsilon"] for point in points]
    axes.errorbar(epsilons, means, yerr=spreads, marker="o", capsize=3, color="#1b6ca8", label="Penchant")
    axes.set_xscale("log", base=2)
    axes.set_xticks(epsilons, [f"{epsilon:g}" for epsilon in epsilons])
    axes.minorticks_off()
