"""What an audit of a run looks at. Each check says what held, or raises with the first thing that did not."""

import hashlib
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open
from scipy.stats import norm

from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.chain import signed
from penchant.privacy.configuration import configuration_digest
from penchant.privacy.events import GaussianSum, PoissonGaussianSum, to_record
from penchant.privacy.keys import PublicKey
from penchant.privacy.population import epsilons
from penchant.privacy.pricing import cross_checked
from penchant.privacy.verify import Check, Evidence, expect
from penchant.types import Sampling, Unit

_SIGMAS: Final = 6.0
_SAMPLED_ROWS: Final = 8


def signatures(evidence: Evidence) -> str:
    """Every entry is signed, by the key that the auditor trusts where one is given."""
    claimed = evidence.entries[0].content["key"]
    expect(claimed is not None, "nobody signed this ledger: whoever can write the file could have made it")
    if evidence.key is not None:
        expect(claimed == evidence.key.text, f"ledger entry 1 names key {claimed}, not {evidence.key.text}")
    signed(evidence.entries, PublicKey(claimed))
    trusted = (
        "the given key"
        if evidence.key
        else f"key {claimed}; compare it with one that you were given elsewhere"
    )
    return f"all entries are signed by {trusted}"


def witness(evidence: Evidence) -> str:
    """The ledger goes on from every head that was kept elsewhere, and as far as the last release."""
    expect(evidence.witness is not None, "no witness was given: a truncated or an old copy would not be seen")
    assert evidence.witness is not None
    claimed = evidence.entries[0].content["key"]
    heads = evidence.witness.check(evidence.entries, key=PublicKey(claimed) if claimed else None)
    released = sum(charge.went_out for charge in evidence.charges.all())
    expect(heads == released, f"the witness saw {heads} releases, the ledger holds {released}")
    return f"{heads} heads, one a release, agree"


def configuration(evidence: Evidence) -> str:
    """run.json is the one that the ledger was opened with, and its code was committed."""
    opened = evidence.entries[0].content
    expect(opened["run"] == evidence.record["started_at"], f"ledger entry 1 is of run {opened['run']}")
    digest = configuration_digest(evidence.record)
    expect(
        opened["configuration"] == digest,
        f"run.json hashes to {digest}, ledger entry 1 says {opened['configuration']}: it was changed",
    )
    code = evidence.record["code"]
    expect(
        not code["dirty"], f"the run's code was changed after commit {code['commit']}: it cannot be looked up"
    )
    version = evidence.record["versions"]["penchant"]
    return f"run.json hashes to {digest}; code is version {version}, commit {code['commit'] or 'unknown (installed)'}"


def rounds(evidence: Evidence) -> str:
    """Each published round is one released charge, and the other way round."""
    shown = [row["round"] for row in evidence.rows]
    released = [charge.round for charge in evidence.updates if charge.went_out]
    missing = sorted(set(shown) - set(released))
    expect(not missing, f"metrics.jsonl shows round {missing[:1]}, which the ledger never released")
    last, finished = max(released, default=0), evidence.record["finished_at"] is not None
    whole = max(shown, default=0) == last
    expect(whole or not finished, f"round {last} was released, and metrics.jsonl ends before it")
    expect(len(released) == len(set(released)), "a round was released twice")
    return f"{len(released)} rounds released, each once"


def events(evidence: Evidence) -> str:
    """Each charge is for the mechanism that run.json states."""
    stated = evidence.stated
    for charge in evidence.updates:
        said = to_record(charge.event)
        for field, expected in (
            ("unit", stated["unit"]),
            ("noise_multiplier", stated["noise_multiplier"]),
            ("rate", stated["sampling_rate"]),
            ("band", stated.get("band", 1)),
        ):
            charged = said.get(field, 1 if field == "band" else None)
            expect(
                charged == expected,
                f"ledger entry {charge.id} charges {field} {charged}, run.json states {expected}",
            )
        expect(
            not charge.reproducible,
            f"ledger entry {charge.id}: its noise can be drawn again and protects nobody",
        )
    _following(evidence)
    others = [charge for charge in evidence.charges.all() if charge.purpose != "update"]
    for charge in others:
        counts = stated.get("counts_noise_multipliers") or {}
        paid = {**counts, "metrics": stated.get("metrics_noise_multiplier")}.get(charge.purpose)
        expect(
            paid is not None and charge.event == GaussianSum(float(paid), Unit(stated["unit"])),
            f"ledger entry {charge.id} charges for {charge.purpose!r}, of which run.json says nothing, or otherwise",
        )
    return f"{len(evidence.updates)} rounds and {len(others)} other charges match run.json"


def _following(evidence: Evidence) -> None:
    """Where the clip bound follows the updates, what was charged covers the votes as well."""
    stated, settings = evidence.stated, evidence.record["settings"].get("privacy", {})
    update, votes = stated.get("update_noise_multiplier"), stated.get("votes_noise_multiplier")
    follows = settings.get("clip_quantile") is not None
    moved = any(row.get("clip_bound") is not None for row in evidence.rows)
    expect(
        (votes is not None) == follows and (follows or not moved),
        "run.json and metrics.jsonl disagree on whether the clip bound followed the updates, and was paid for",
    )
    if update is None or votes is None:
        return
    together = (float(update) ** -2 + float(votes) ** -2) ** -0.5
    charged = float(stated["noise_multiplier"])
    expect(
        together >= charged * (1 - 1e-9),
        f"update and votes together have noise multiplier {together:.4f}, less than the {charged:.4f} that is charged",
    )


def epsilon(evidence: Evidence) -> str:
    """The figures of metrics.jsonl follow from the charges up to their round."""
    delta = evidence.stated["delta"]
    rows = _looked_at(evidence)
    histories = evidence.charges.spent_after(int(row["round"]) for row in rows)
    for row, exact in zip(rows, epsilons(histories, delta=delta).tolist(), strict=True):
        expect(
            abs(row["epsilon"] - exact) <= 1e-3 * exact + 1e-6,
            f"metrics.jsonl says epsilon {row['epsilon']:.4f} after round {row['round']}, the ledger {exact:.4f}",
        )
    spent = PLDAccountant().epsilon(evidence.charges.spent(), delta=delta)
    limit = evidence.stated["epsilon_limit"]
    expect(limit is None or spent <= limit, f"epsilon {spent:.4f} was spent, {limit} was allowed")
    return f"epsilon {spent:.4f} at delta {delta:g}, limit {limit}; {len(rows)} rounds recomputed"


def second_library(evidence: Evidence) -> str:
    """Opacus agrees with dp-accounting about what was spent."""
    priced = cross_checked(evidence.charges.spent(), delta=evidence.stated["delta"])
    return (
        f"{priced.cross_check} says {priced.cross_check_epsilon:.4f}, {priced.accountant} {priced.epsilon:.4f};"
        f" without amplification {priced.epsilon_unamplified:.4f}"
    )


def sampling(evidence: Evidence) -> str:
    """The cohorts that metrics.jsonl shows can be what was claimed."""
    claimed = Sampling(evidence.stated["sampling"])
    people = evidence.record["dataset"]["n_users"]
    cohort = evidence.record["settings"]["federation"]["cohort"]
    sizes = np.array([row["clients"] for row in evidence.rows])
    sampled = [c for c in evidence.updates if isinstance(c.event, PoissonGaussianSum)]
    expect(
        not sampled or claimed is Sampling.POISSON,
        f"ledger entry {sampled[0].id if sampled else ''} claims amplification, run.json says sampling {claimed}",
    )
    most = people if claimed is Sampling.ALL else cohort
    if claimed is Sampling.ROTATION:
        return _rotation(evidence, separation=max(1, people // cohort))
    if claimed is Sampling.POISSON and sampled:
        return _poisson(sizes, people, evidence.stated["sampling_rate"])
    expect(
        claimed is Sampling.POISSON or bool((sizes <= most).all()),
        f"a round had {sizes.max(initial=0)} people, {claimed} allows {most}",
    )
    return f"no amplification is claimed; cohorts of {sizes.min(initial=most)} to {sizes.max(initial=0)}"


def tensors(evidence: Evidence) -> str:
    """The head that was published holds the allow-listed tensors alone, and is the one that was charged."""
    path, allowed = evidence.run.shared_path, evidence.record["model"]["shared_tensors"]
    expect(path.is_file(), f"{path} is missing: the run is not finished")
    try:
        with safe_open(path, "numpy") as file:
            found = {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        expect(False, f"{path}: not safetensors ({error})")
    outside = sorted(name for name in found if not name.startswith("shared."))
    expect(not outside, f"{path} holds {outside}: only what lies under shared. may leave")
    expect(
        found == allowed,
        f"{path} holds {sorted(set(found) ^ set(allowed))} or other shapes than run.json allows",
    )
    return f"{len(found)} tensors, all under shared."


def results(evidence: Evidence) -> str:
    """The checkpoints that are left are the values that were charged."""
    charged = {charge.round: charge.result for charge in evidence.updates if charge.went_out}
    looked = 0
    for path in sorted(evidence.run.checkpoints.glob("round-*.safetensors")):
        round_ = int(path.name.split("-")[1])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        expect(
            digest == charged.get(round_),
            f"{path.name} is not what the ledger charged for round {round_}",
        )
        looked += 1
    figures = [c.result for c in evidence.charges.all() if c.purpose == "metrics" and c.went_out]
    released = evidence.run.released_path
    found = [hashlib.sha256(released.read_bytes()).hexdigest()] if released.is_file() else []
    expect(found == figures, f"{released.name} is not what the ledger charged for metrics")
    return f"{looked} checkpoints{' and the released figures' if figures else ''} hash to what was charged"


def counts(evidence: Evidence) -> str:
    """Every count of items or pairs that lies in the run is the one that was charged, and none is missing."""
    found = {path.stem: path for path in sorted(evidence.run.counts.glob("*.safetensors"))}
    charged = {
        charge.purpose: charge.result
        for charge in evidence.charges.all()
        if charge.went_out and charge.purpose not in ("update", "metrics")
    }
    expect(
        set(found) == set(charged),
        f"counts {sorted(set(found) ^ set(charged))} are in the run or in the ledger, not in both",
    )
    for name, path in found.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        expect(digest == charged[name], f"{path.name} is not what the ledger charged for {name}")
    if not found:
        expect(
            not evidence.run.company_path.is_file(), "company.safetensors rests on counts that nobody charged"
        )
        return "nothing was counted"
    return f"{' and '.join(found)} hash to what was charged"


CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("signatures", signatures),
    ("witness", witness),
    ("configuration", configuration),
    ("rounds", rounds),
    ("events", events),
    ("epsilon", epsilon),
    ("second library", second_library),
    ("sampling", sampling),
    ("tensors", tensors),
    ("results", results),
    ("counts", counts),
)
UNSIGNED_CHECKS: Final = tuple(check for check in CHECKS if check[0] not in ("signatures", "witness"))
"""For a simulation whose ledger nobody signed and nobody witnessed."""


def _looked_at(evidence: Evidence) -> list[dict[str, float]]:
    """All rounds where the price is in closed form; a spread of them where each takes a while."""
    rows = evidence.rows
    if not any(isinstance(charge.event, PoissonGaussianSum) for charge in evidence.updates):
        return rows
    step = max(1, len(rows) // _SAMPLED_ROWS)
    return rows[::step] + rows[-1:]


def _rotation(evidence: Evidence, *, separation: int) -> str:
    """Fixed groups took turns: whoever was named in a round is named every so many rounds, and never in between."""
    shown = {row["round"]: row["clients"] for row in evidence.rows}
    for charge in evidence.updates:
        expect(charge.people is not None, f"ledger entry {charge.id} names nobody, rotation names its people")
        turn = charge.people or frozenset()
        strayed = sorted(person for person in turn if (charge.round - 1 - int(person)) % separation)
        expect(
            not strayed, f"ledger entry {charge.id}: person {strayed[:1]} had no turn in round {charge.round}"
        )
        came = shown.get(charge.round, 0)
        expect(
            came <= len(turn),
            f"round {charge.round} had {came} people, ledger entry {charge.id} names {len(turn)}",
        )
    return f"everybody's rounds lie {separation} apart, as rotation in {separation} groups gives"


def _poisson(sizes: "np.ndarray[tuple[int], np.dtype[np.int64]]", people: int, rate: float) -> str:
    """Independent draws give cohorts of different sizes around people * rate: neither equal nor larger ones."""
    mean, std = people * rate, (people * rate * (1 - rate)) ** 0.5
    excess = (sizes.mean() - mean) * len(sizes) ** 0.5 / std
    expect(
        excess < _SIGMAS, f"cohorts of {sizes.mean():.1f} people on average; rate {rate:g} gives {mean:.1f}"
    )
    if len(sizes) > 1:
        equal = len(sizes) * np.log(min(1.0, 1 / (std * (2 * np.pi) ** 0.5)))
        expect(
            len(set(sizes.tolist())) > 1 or equal > np.log(norm.sf(_SIGMAS)),
            f"every round had {sizes[0]} people: that is a fixed cohort, and no Poisson sample",
        )
    return (
        f"cohorts of {sizes.min()} to {sizes.max()}, as independent draws at rate {rate:g} of {people} give"
    )
