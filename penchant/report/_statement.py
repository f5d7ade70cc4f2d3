"""The privacy statement: what an auditor asks about a run, answered from its ledger and from what the controller says.

The questions follow NIST SP 800-226, "Guidelines for Evaluating Differential Privacy Guarantees".
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import floor
from typing import Any, Final

import numpy as np

from penchant.privacy.calibrate import gaussian_loss_for
from penchant.privacy.chain import Entry
from penchant.privacy.charges import Charges
from penchant.privacy.events import PrivacyEvent
from penchant.privacy.population import epsilons
from penchant.privacy.pricing import curve, gaussian_loss
from penchant.report._controller import Controller
from penchant.types import F64, NoiseAt, Unit

_DELTAS: Final = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)
UNRELEASED: Final = "simulation only: not released in a deployment"
"""Beside every exact figure about people."""

_SMALLEST_BIN: Final = 10
"""Bins of fewer people are withheld."""

_CAP: Final = {
    Unit.USER: "everything a person did is one update a round, scaled to the clip bound",
    Unit.EVENT: "each interaction lies in one chunk, and each chunk's gradient is scaled to the clip bound",
}
_CAP_OF_COUNTS: Final = {
    Unit.USER: "to each count, a person adds a vector of length 1, however long the history",
    Unit.EVENT: "to each count, an interaction adds no more than a length that the settings alone decide",
}
_CRYPTOGRAPHIC: Final = (
    "AES-256 in counter mode under a key from the operating system, Box-Muller, rounded to one grid with the sum;"
    " timing is not constant"
)
_SEEDED: Final = "the run's seed: it can be drawn again and subtracted, and protects nobody"
_RESIDUAL: Final = (
    "The published heads were not retrained. What they may still show of an erased person is bounded by the epsilon of"
    " that person; local data and the adapter are gone from the device at once."
)


def statement(
    protected: Mapping[str, Any],
    record: Mapping[str, Any],
    charges: Charges,
    entries: Sequence[Entry],
    controller: Controller,
    attack: Mapping[str, Any] | None,
    *,
    name: str,
    utility: Mapping[str, Any],
    released: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The statement of one private run.

    protected: the report's privacy section.  record: run.json.  attack: what `penchant audit attack` found, or None.
    utility: from `measured`.  released: what was released besides the model, noised and charged, or None.
    """
    events, unit, people = charges.spent(), Unit(protected["unit"]), record["dataset"]["n_users"]
    loss = gaussian_loss(events)
    return {
        "plain": _plain(protected, unit),
        "scope": controller.model_dump(exclude={"delta_reason", "erasure_requests"}),
        "contribution_cap": _cap(protected, record, unit),
        "trust": trust(
            NoiseAt(record["privacy"]["noise_at"]),
            released=released is not None,
            counted=bool(protected["mechanism"]["counts"]),
            rounds=record["privacy"]["rounds"],
        ),
        "noise_source": _SEEDED if protected["reproducible_noise"] else _CRYPTOGRAPHIC,
        "sampling": _sampling(protected, record),
        "delta_reason": controller.delta_reason or _delta_reason(protected["delta"], people),
        "curve": [{"delta": delta, "epsilon": epsilon} for delta, epsilon in curve(events, deltas=_DELTAS)],
        "mu": loss,
        "rho": None if loss is None else loss**2 / 2,
        "budget": _budget(protected, events, loss),
        "per_client": _per_client(charges, protected["delta"], people),
        "releases_by_purpose": dict(Counter(charge.purpose for charge in charges.all())),
        "events_per_round": _per_round(charges),
        "utility": dict(utility),
        "released": None if released is None else dict(released),
        "attack": None if attack is None else _attack(attack),
        "erasure": {"requests": controller.erasure_requests, "residual": _RESIDUAL},
        "provenance": _provenance(entries, name),
    }


def _cap(protected: Mapping[str, Any], record: Mapping[str, Any], unit: Unit) -> str:
    """What one protected unit can add to each release, at most."""
    mechanism, caps = protected["mechanism"], []
    if record["privacy"]["rounds"]:
        later = "" if mechanism["clip_quantile"] is None else " at first; it then follows the updates"
        caps.append(f"{_CAP[unit]} ({mechanism['clip_bound']:g}{later})")
    if mechanism["counts"]:
        caps.append(_CAP_OF_COUNTS[unit])
    return "; ".join(caps)


def measured(test: Mapping[str, Any], fairness: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracy, and gaps between groups, as a simulation knows them exactly. No deployment releases these."""
    return {
        "label": UNRELEASED,
        "hr@10": test["full"].get("hr@10"),
        "ndcg@10": test["full"].get("ndcg@10"),
        "gaps": [
            {name: gap[name] for name in ("attribute", "best", "worst", "value", "verdict")}
            for gap in fairness["gaps"]
        ],
    }


def trust(
    noise_at: NoiseAt, *, released: bool, counted: bool = False, rounds: int = 1
) -> list[dict[str, str]]:
    """Who sees raw data, updates, aggregates, the model and metrics. counted: whether items and pairs were."""
    heads = "the shared head after every round, and so the noised mean update of each"
    counts = "the noised counts of items, pairs and, where asked for, votes, or what is computed from them"
    server = (
        "each person's bounded contribution before the noise, their sum, and who takes part: it is trusted with these"
        if noise_at is NoiseAt.SERVER
        else "each person's update with that person's own noise, the sum of these, and who takes part"
    )
    figures = (
        "noised figures of groups that are not small, once, charged to the same ledger;"
        " all other figures of this report are a simulation's"
        if released
        else "nothing in a deployment; a simulation's report shows them"
    )
    return [
        {
            "who": "the person's own device",
            "sees": "the history and the personal adapter; neither ever leaves it",
        },
        {"who": "the server", "sees": server},
        {
            "who": "other clients, and whoever gets the model",
            "sees": "; ".join([*([counts] if counted else []), *([heads] if rounds else [])]),
        },
        {
            "who": "whoever watches the network",
            "sees": "who talks to the server, when, and how much: not protected",
        },
        {
            "who": "anybody, of accuracy and group figures",
            "sees": figures,
        },
    ]


def _plain(protected: Mapping[str, Any], unit: Unit) -> list[str]:
    whom = "one person, with everything they ever did," if unit is Unit.USER else "one single interaction"
    head = (
        f"Whoever sees the published model, and knows everything else, can hardly tell whether {whom} was part of its"
        f" training: what they learn is bounded by epsilon = {protected['epsilon']:.2f}, but for a chance of"
        f" {protected['delta']:g}."
    )
    if protected["reproducible_noise"]:
        return [
            "THE NOISE OF THIS RUN CAN BE DRAWN AGAIN: it protects nobody, whatever figures follow.",
            head,
        ]
    return [head, "This is a statement about the mathematics of the release. It is no legal assessment."]


def _sampling(protected: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    claimed = "poisson" if protected["sampling"]["amplification"] else "none"
    return {
        "amplification_claimed": claimed,
        "used": record["privacy"]["sampling"],
        "rate": record["privacy"]["sampling_rate"],
        "epsilon_without_amplification": protected["epsilon_unamplified"],
    }


def _delta_reason(delta: float, people: int) -> str:
    return (
        f"below one over the {people:,} people: with delta = {delta:g}, the chance that anybody at all is exposed"
        f" beyond epsilon is at most {min(1.0, delta * people):.2g}"
    )


def _budget(
    protected: Mapping[str, Any], events: Sequence[PrivacyEvent], loss: float | None
) -> dict[str, Any]:
    """What is left; how many more releases like the last fit, where that is exact."""
    limit = protected["epsilon_limit"]
    if limit is None:
        return {"limit": None, "left": None, "releases_left": None}
    fit = None
    if loss is not None:
        room = gaussian_loss_for(limit, delta=protected["delta"]) ** 2 - loss**2
        fit = max(0, floor(room * events[-1].noise_multiplier ** 2))
    return {"limit": limit, "left": max(0.0, limit - protected["epsilon"]), "releases_left": fit}


def _per_client(charges: Charges, delta: float, people: int) -> dict[str, Any]:
    named = [charges.history(person) for person in charges.people()]
    everybody = [Counter(charges.spent())]
    spent = epsilons(named or everybody, delta=delta)
    low, middle, high, most = np.quantile(spent, [0, 0.5, 0.95, 1]).tolist()
    counts = {"min": low, "median": middle, "p95": high, "max": most}
    return {"people": len(named) or people, **counts, "bins": _bins(spent) if named else []}


def _per_round(charges: Charges) -> dict[str, Any]:
    """How often the ledger was charged in a round of training: more than once only where a crash made it so."""
    counts = Counter(charge.round for charge in charges.all() if charge.purpose == "update")
    return {"rounds": len(counts), "most": max(counts.values(), default=0)}


def _bins(spent: F64) -> list[dict[str, Any]]:
    """How many people spent how much; small bins are withheld, so that nobody stands alone."""
    counts, edges = np.histogram(spent, bins=10)
    return [
        {"from": low, "to": high, "people": count if count >= _SMALLEST_BIN or count == 0 else None}
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    ]


def _attack(found: Mapping[str, Any]) -> dict[str, Any]:
    bound = found["bound"]
    return {
        "claimed_epsilon": found["claim"]["epsilon"],
        "proved_epsilon": bound["epsilon"],
        "could_have_proved": bound["most"],
        "refuted": found["refuted"],
        "guesses": bound["guesses"],
        "right": bound["right"],
        "canaries": bound["canaries"],
        "confidence": bound["confidence"],
        "attacker_sees": found["attacker_sees"],
        "membership": found["membership"],
    }


def _provenance(entries: Sequence[Entry], name: str) -> dict[str, Any]:
    opened = entries[0].content
    trusted = " --key KEY --witness HEADS" if opened.get("key") else " --allow-unsigned"
    return {
        "ledger_entries": len(entries),
        "ledger_head": entries[-1].hash,
        "signed_by_key": opened.get("key"),
        "configuration": opened.get("configuration"),
        "recompute": f"penchant audit verify {name}{trusted}",
    }
