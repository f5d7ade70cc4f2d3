"""The privacy section: priced again from the ledger, with everything that must stand beside an epsilon."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from penchant.privacy.calibrate import gaussian_epsilon_of
from penchant.privacy.charges import Charges
from penchant.privacy.events import PrivacyEvent
from penchant.privacy.group import group_epsilon
from penchant.privacy.population import epsilons
from penchant.privacy.pricing import cross_checked, gaussian_loss
from penchant.report._saved import SavedRun
from penchant.types import Unit

_INTERACTIONS: Final = (1, 5, 20)

_SIMULATION_ONLY: Final = (
    "accuracy, group figures and costs in this report: simulation only, not released in a deployment"
)
_DEVICE: Final = "what stays on a device: the history and the personal adapter"


def privacy(saved: SavedRun) -> dict[str, Any]:
    """Epsilon is that of the person who paid most; without a unit there is none."""
    stated = saved.record["privacy"]
    if saved.charges is None:
        return _unprotected()
    events = saved.charges.spent()
    mechanism = {
        "name": _mechanism(stated),
        "noise_at": stated["noise_at"],
        "noise_multiplier": stated["noise_multiplier"],
        "clip_bound": stated["clip_bound"],
        "clip_quantile": stated.get("clip_quantile"),
        "counts": stated.get("counts_noise_multipliers") or {},
    }
    priced = cross_checked(events, delta=stated["delta"])
    return {
        "unit": priced.unit.value,
        "adjacency": priced.adjacency,
        "epsilon": priced.epsilon,
        "epsilon_unamplified": priced.epsilon_unamplified,
        "epsilon_limit": _limit(stated["epsilon_limit"]),
        "delta": priced.delta,
        "mechanism": mechanism,
        "sampling": {
            "scheme": stated["sampling"],
            "rate": stated["sampling_rate"],
            "amplification": priced.epsilon < priced.epsilon_unamplified,
        },
        "accountant": priced.accountant,
        "cross_check": {"accountant": priced.cross_check, "epsilon": priced.cross_check_epsilon},
        "releases": len(events),
        "split": _split(saved.charges),
        "reproducible_noise": any(charge.reproducible for charge in saved.charges.all()),
        "per_client": _per_client(saved.charges, priced.delta),
        "several_interactions": list(several_interactions(events, priced.delta))
        if priced.unit is Unit.EVENT
        else [],
        "covered": _covered(stated, released=saved.released is not None),
        "not_covered": _not_covered(
            priced.unit,
            stated["noise_at"],
            _tuning(saved.record["settings"].get("trials", 0), events, priced.delta),
            released=saved.released is not None,
        ),
    }


def _mechanism(stated: Mapping[str, Any]) -> str:
    band, clip_quantile = stated.get("band", 1), stated.get("clip_quantile")
    voted = "" if "votes" not in (stated.get("counts_noise_multipliers") or {}) else ", and votes on the gate"
    counted = f"counts of items and of pairs of items{voted}, of bounded contributions, each released once"
    if not stated.get("counts_noise_multipliers"):
        return _of_rounds(band, clip_quantile)
    if stated["rounds"] == 0:
        return f"Gaussian noise on {counted}"
    return f"{_of_rounds(band, clip_quantile)}; and on {counted}"


def _of_rounds(band: int, clip_quantile: float | None) -> str:
    correlated = f", correlated over {band} rounds by a banded factorisation," if band > 1 else ""
    followed = (
        ""
        if clip_quantile is None
        else f"; the clip bound follows the {clip_quantile:g} quantile of the updates' norms by noised votes, charged"
        " together with the updates"
    )
    return f"Gaussian noise{correlated} on the sum of clipped contributions{followed}"


def _unprotected() -> dict[str, Any]:
    empty = ("adjacency", "epsilon", "epsilon_unamplified", "epsilon_limit", "delta", "mechanism", "sampling")
    return {
        "unit": Unit.NONE.value,
        **dict.fromkeys(empty),
        "accountant": None,
        "cross_check": None,
        "releases": 0,
        "split": [],
        "reproducible_noise": False,
        "per_client": None,
        "several_interactions": [],
        "covered": [],
        "not_covered": ["everything: this run is not private"],
    }


def _split(charges: Charges) -> list[dict[str, Any]]:
    """What the budget went to: each purpose's share of the squared loss, which adds up where an epsilon does not."""
    loss: defaultdict[str, float] = defaultdict(float)
    releases: Counter[str] = Counter()
    for charge in charges.all():
        loss[charge.purpose] += charge.event.unamplified.noise_multiplier**-2
        releases[charge.purpose] += 1
    whole = sum(loss.values())
    return [
        {"purpose": purpose, "releases": releases[purpose], "share": loss[purpose] / whole}
        for purpose in loss
    ]


def _limit(limit: float | None) -> float | None:
    return None if limit is None or not np.isfinite(limit) else limit


def _per_client(charges: Charges, delta: float) -> dict[str, Any]:
    """Where clients pay by name, each by what it took part in; otherwise all pay the same."""
    named = charges.people()
    spent = epsilons([charges.history(person) for person in named] or [Counter(charges.spent())], delta=delta)
    low, middle, high = np.quantile(spent, [0, 0.5, 1])
    return {"named": len(named), "min": float(low), "median": float(middle), "max": float(high)}


def several_interactions(events: Sequence[PrivacyEvent], delta: float) -> Iterator[dict[str, Any]]:
    """What the same releases cost somebody who cares about several of their interactions. Sampling is not counted."""
    plain = [event.unamplified for event in events]
    for interactions in _INTERACTIONS:
        yield {
            "interactions": interactions,
            "epsilon": group_epsilon(plain, size=interactions, delta=delta),
        }


def _covered(stated: Mapping[str, Any], *, released: bool) -> list[str]:
    covered = []
    if stated.get("counts_noise_multipliers"):
        votes = " and of votes" if "votes" in stated["counts_noise_multipliers"] else ""
        covered.append(
            f"the counts of items and of pairs{votes}, and all that is computed from them, whoever sees it"
        )
    if stated["rounds"] > 0:
        covered.append("the shared head after every round, whoever sees it, with whatever else they know")
    if released:
        covered.append("the released figures of groups, together with all of this")
    return covered


def _tuning(trials: int, events: Sequence[PrivacyEvent], delta: float) -> str:
    """What choosing the settings tells about the same people, and would have cost as so many runs more."""
    if trials == 0:
        return "the choice of settings, if it was made by trying several on the same people"
    loss = gaussian_loss(events)
    price = "" if loss is None else f" {gaussian_epsilon_of(loss * (trials + 1) ** 0.5, delta=delta):.0f}"
    return (
        f"the choice of settings: {trials} were tried on the validation items of the same people before these; had each"
        f" trial been charged as a run of its own, ε would be{price or ' far larger'}"
    )


def _not_covered(unit: Unit, noise_at: str, tuning: str, *, released: bool) -> list[str]:
    seen = "what the server itself sees: single clipped updates before noise; the server is trusted"
    single = "a person as a whole: the unit is one interaction, and several of one person cost more (see the table)"
    open_ends = [seen] if noise_at == "server" else []
    open_ends += [single] if unit is Unit.EVENT else []
    exact = f"all exact {_SIMULATION_ONLY}" if released else _SIMULATION_ONLY
    return [*open_ends, tuning, exact, _DEVICE]
