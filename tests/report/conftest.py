"""A run directory made by hand, as a simulation leaves it, for every kind of privacy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from penchant import ranking
from penchant.privacy.events import GaussianSum, PoissonGaussianSum
from penchant.privacy.ledger import Budget, Ledger
from penchant.privacy.pricing import cross_checked
from penchant.rundir import RunDirectory, write_json
from penchant.types import I64, Unit

DELTA = 1e-5
N_ITEMS = 400

MakeRun = Callable[..., RunDirectory]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(name, unit=..., rounds=..., ...)` writes every file of a finished run."""

    def make(name: str = "run", **terms: Any) -> RunDirectory:
        run = RunDirectory(tmp_path / name)
        run.root.mkdir()
        fill(run, **terms)
        return run

    return make


def fill(
    run: RunDirectory,
    *,
    unit: Unit = Unit.USER,
    rounds: int = 6,
    noise_multiplier: float = 1.6,
    rate: float | None = None,
    limit: float | None = 8.0,
    reproducible: bool = False,
    people: int = 240,
    digest: str = "d" * 64,
    seed: int = 0,
) -> None:
    table = _people(people, seed)
    spent = (
        _charge(run, unit, rounds, noise_multiplier, rate, limit, reproducible)
        if unit is not Unit.NONE
        else None
    )
    run.write_settings(
        _record(unit, rounds, noise_multiplier, rate, limit, reproducible, people, digest, seed)
    )
    for number in range(1, rounds + 1):
        run.append_metrics(_row(number, people, limit, None if spent is None else spent[number - 1]))
    write_json(run.evaluation_path, _evaluation(table))
    table.write_parquet(run.people_path)


def _charge(
    run: RunDirectory,
    unit: Unit,
    rounds: int,
    noise_multiplier: float,
    rate: float | None,
    limit: float | None,
    reproducible: bool,
) -> list[tuple[float, float]]:
    event = (
        GaussianSum(noise_multiplier, unit)
        if rate is None
        else PoissonGaussianSum(rate, noise_multiplier, unit)
    )
    spent = []
    with Ledger(run.ledger_path, run_id="run") as ledger:
        for number in range(1, rounds + 1):
            charge = ledger.reserve(
                number, event, budget=Budget(limit or 1e6, DELTA), reproducible=reproducible
            )
            ledger.persisted(charge.id, "ab" * 32)
            ledger.released(charge.id)
            ledger.published(charge.id)
            priced = cross_checked(ledger.charges.spent(), delta=DELTA)
            spent.append((priced.epsilon, priced.epsilon_unamplified))
    return spent


def _row(number: int, people: int, limit: float | None, spent: tuple[float, float] | None) -> dict[str, Any]:
    epsilon, unamplified = spent or (None, None)
    return {
        "round": number,
        "clients": people,
        "refused": 0,
        "seconds": 0.21,
        "bytes_up": 132_612,
        "bytes_down": 132_612,
        "update_norm": 0.3 / number,
        "epsilon": epsilon,
        "epsilon_unamplified": unamplified,
        "epsilon_limit": limit,
        "validation": {"hr@10": 0.16 - 0.12 / number, "ndcg@10": 0.08 - 0.06 / number}
        if number % 2 == 0
        else None,
    }


def _people(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    gender = rng.choice(["F", "M"], n, p=[0.3, 0.7])
    skill = np.where(gender == "F", 3.4, 2.0) + rng.normal(0, 0.4, n)
    ranks = np.clip(np.exp(rng.normal(skill, 1.3)).astype(np.int64) + 1, 1, N_ITEMS)
    ranks[:3] = 0
    alone = np.where(ranks > 0, np.clip(ranks + rng.integers(-4, 9, n), 1, N_ITEMS), 0)
    counts = rng.integers(3, 200, n)
    return pl.DataFrame(
        {
            "user_id": [f"u{person}" for person in range(n)],
            "n_train": counts,
            "rank": ranks,
            "rank_sampled99": (ranks + 3) // 4,
            "rank_shared": alone,
            "rank_validation": alone,
            "gender": gender,
            "age_band": rng.choice(["under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56+"], n),
            "occupation": rng.choice(
                ["artist", "doctor", "student", "writer", "<b>other</b>"], n, p=[0.05, 0.2, 0.4, 0.3, 0.05]
            ),
            "activity": np.array(["1 low", "2", "3", "4 high"])[
                np.searchsorted([52, 101, 151], counts, side="left")
            ],
        }
    )


def _evaluation(people: pl.DataFrame) -> dict[str, Any]:
    own, alone, sampled = (people[name].to_numpy() for name in ("rank", "rank_shared", "rank_sampled99"))
    test = {"full": _figures(own), "sampled99": _figures(sampled)}
    weaker = {"full": _figures(np.where(own > 0, own * 2, 0)), "sampled99": _figures(sampled)}
    return {
        "split": "leave-one-out by time; history and exclusions: training items",
        "test": test,
        "validation": test,
        "shared_only": {"full": _figures(alone), "sampled99": _figures(sampled)},
        "baselines": {"popularity": weaker, "ease": test},
        "cold": None,
    }


def _figures(ranks: I64) -> dict[str, float]:
    rng = np.random.default_rng(0)
    top = rng.integers(0, N_ITEMS, (len(ranks), 10)).astype(np.int32)
    return ranking.summary(ranks, top, popularity=rng.integers(1, 90, N_ITEMS), n_users=len(ranks))


def _record(
    unit: Unit,
    rounds: int,
    noise_multiplier: float,
    rate: float | None,
    limit: float | None,
    reproducible: bool,
    people: int,
    digest: str,
    seed: int,
) -> dict[str, Any]:
    return {
        "settings": {"data": "made-by-hand", "seed": seed, "federation": {"rounds": rounds}},
        "seed": seed,
        "versions": {"penchant": "0.1.0", "torch": "2.13.0"},
        "dataset": {
            "name": "made-by-hand",
            "digest": digest,
            "n_users": people,
            "n_items": N_ITEMS,
            "n_events": 24_000,
            "source": "a test & its <fixture>",
        },
        "catalogue_digest": "c" * 64,
        "encoder": {"model": None, "whiten_rank": 256},
        "code": {"commit": "e" * 40, "dirty": False},
        "privacy": {
            "unit": unit.value,
            "noise_at": "server",
            "noise_multiplier": noise_multiplier if unit is not Unit.NONE else 0.0,
            "clip_bound": 0.1,
            "epsilon_limit": limit,
            "delta": DELTA,
            "rounds": rounds,
            "sampling": "all" if rate is None else "poisson",
            "sampling_rate": rate,
            "reproducible_noise": reproducible,
        },
        "model": {
            "shared_parameters": 33_025,
            "personal_parameters": 1344,
            "shared_tensors": {"shared.item_head.weight": [256, 64]},
        },
        "cost": {
            "client_updates": rounds * people,
            "seconds": 0.21 * rounds,
            "ms_per_client": 210 / people,
            "bytes_up": 132_612 * rounds,
            "bytes_down": 132_612 * rounds,
            "peak_mb": 612.5,
        },
        "started_at": "2026-01-02T03:04:05+00:00",
        "finished_at": "2026-01-02T03:05:00+00:00",
    }
