"""What the run was to different people: groups, the worst served, the spread, and what the adapter changed."""

from typing import Any, Final

import numpy as np
import polars as pl

from penchant import fairness, ranking
from penchant.rng import stream
from penchant.types import F64, I64

METRIC: Final = "ndcg@10"
_ATTRIBUTES: Final = ("gender", "age_band", "occupation", "activity")
_DEPTHS: Final = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def fairness_section(people: pl.DataFrame, *, seed: int) -> dict[str, Any]:
    """Mean NDCG@10 by group with 95% intervals, gaps with verdicts, and the worst decile of people."""
    values = ranking.ndcg(_ranks(people, "rank"), 10)
    attributes = [name for name in _ATTRIBUTES if name in people.columns]
    labels = {name: people[name].to_list() for name in attributes}
    groups = [
        group
        for name in attributes
        for group in fairness.groups(values, name, labels[name], rng=stream(seed, "groups", name))
    ]
    gaps = [fairness.gap(values, name, labels[name], rng=stream(seed, "gaps", name)) for name in attributes]
    return {
        "metric": METRIC,
        "level": 0.95,
        "smallest_group": fairness.SMALLEST_GROUP,
        "mean": _mean(values),
        "groups": [_plain(group) for group in groups],
        "gaps": [_plain(gap) for gap in gaps if gap is not None],
        "worst_decile": _worst(people),
    }


def people_section(people: pl.DataFrame) -> dict[str, Any]:
    """How deep people have to look, with and without their adapter, and whom the adapter helped or hurt."""
    own, alone = _ranks(people, "rank"), _ranks(people, "rank_shared")
    found = own > 0
    return {
        "n": len(own),
        "nothing_to_find": int((~found).sum()),
        "median_rank": float(np.median(own[found])) if found.any() else None,
        "within": [{"k": k, **_within(own, alone, k)} for k in _DEPTHS if k <= max(10, own.max())],
        "adapter": {
            "better": int((own[found] < alone[found]).sum()),
            "same": int((own[found] == alone[found]).sum()),
            "worse": int((own[found] > alone[found]).sum()),
            "ndcg@10": _mean(ranking.ndcg(own, 10)),
            "ndcg@10_without": _mean(ranking.ndcg(alone, 10)),
        },
    }


def _within(own: I64, alone: I64, k: int) -> dict[str, float | None]:
    return {"share": _mean(ranking.hr(own, k)), "share_without_adapter": _mean(ranking.hr(alone, k))}


def _worst(people: pl.DataFrame) -> dict[str, Any]:
    ranks = _ranks(people, "rank")
    chosen = fairness.worst_decile(ranks)
    if not chosen.any():
        return {"n": 0, "mrr": None, METRIC: None, "median_rank": None, "median_n_train": None}
    return {
        "n": int(chosen.sum()),
        "mrr": _mean(ranking.mrr(ranks[chosen])),
        METRIC: _mean(ranking.ndcg(ranks[chosen], 10)),
        "median_rank": float(np.median(ranks[chosen])),
        "median_n_train": float(np.median(people["n_train"].to_numpy()[chosen])),
    }


def _ranks(people: pl.DataFrame, column: str) -> I64:
    return np.asarray(people[column].to_numpy(), np.int64)


def _mean(values: F64) -> float | None:
    found = values[~np.isnan(values)]
    return float(found.mean()) if len(found) else None


def _plain(value: fairness.Group | fairness.Gap) -> dict[str, Any]:
    """JSON has no NaN: what is not known is null."""
    fields = {name: getattr(value, name) for name in value.__dataclass_fields__}
    return {
        name: None if isinstance(field, float) and np.isnan(field) else field
        for name, field in fields.items()
    }
