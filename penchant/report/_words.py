"""What a run amounts to, in sentences for people who do not read tables."""

import math
from typing import Any, Final

from penchant.fairness import Verdict
from penchant.types import Unit

Record = dict[str, Any]

_PROTECTED: Final = {
    Unit.USER: "everything one person ever did",
    Unit.EVENT: "one single interaction of one person",
}
_ATTRIBUTE_NAMES: Final = {
    "gender": "gender",
    "age_band": "age",
    "occupation": "occupation",
    "activity": "activity",
}


def stamps(privacy: Record, *, learned: bool = True) -> list[Record]:
    """Warnings that nobody may overlook. learned: from the people of this run."""
    found = []
    if not learned:
        text = "Nothing was learned from these people: the head is another run's, and its privacy is stated there."
        found.append({"code": "zero-shot", "title": "ZERO-SHOT", "text": text})
    elif privacy["unit"] == Unit.NONE:
        text = "Not private: no noise was added, and what clients sent may reveal what people did."
        found.append({"code": "not-private", "title": "NOT PRIVATE", "text": text})
    if privacy["reproducible_noise"]:
        text = "The noise was drawn from the run's seed and can be drawn again and subtracted: it protects nobody."
        found.append({"code": "reproducible-noise", "title": "NOISE IS REPRODUCIBLE", "text": text})
    return found


def summary(report: Record) -> list[str]:
    """A few sentences: accuracy, privacy, fairness, adapter, cost."""
    return [
        _accuracy(report),
        _privacy(report["privacy"]),
        _fairness(report["fairness"]),
        _adapter(report["people"]["adapter"]),
        _cost(report["cost"]),
    ]


def epsilon_in_full(privacy: Record) -> str:
    """Epsilon never without its unit, delta, adjacency and sampling."""
    if privacy["unit"] == Unit.NONE:
        return "no privacy: ε is unbounded"
    sampling = privacy["sampling"]
    scheme = f"sampling: {sampling['scheme']}"
    if sampling["amplification"]:
        without = f"ε = {privacy['epsilon_unamplified']:.2f} without amplification"
        scheme += f" at rate {sampling['rate']:.4g}, kept secret ({without})"
    else:
        scheme += ", no amplification counted"
    return (
        f"ε = {privacy['epsilon']:.2f} per {privacy['unit']}, δ = {privacy['delta']:g}; "
        f"adjacency: {privacy['adjacency']}; {scheme}"
    )


def percent(share: float | None) -> str:
    return "no figure" if share is None else f"{100 * share:.1f}%"


def _accuracy(report: Record) -> str:
    full = report["accuracy"]["test"]["full"]
    if not full:
        return "Nobody had a held-out item to find, so there is no accuracy to report."
    others = ", ".join(
        f"{_baseline(name)} {percent(figures['full'].get('hr@10'))}"
        for name, figures in report["baselines"].items()
    )
    return (
        f"For {percent(full['hr@10'])} of people, the item they chose next is among the first ten suggestions out of "
        f"{candidates(report)}; trained centrally on everybody's data and without privacy, the references reach: "
        f"{others}."
    )


def candidates(report: Record) -> str:
    """What is ranked."""
    domain = report["provenance"]["settings"].get("target_domain")
    return "the whole catalogue" if domain is None else f"the catalogue's part '{domain}'"


def _baseline(name: str) -> str:
    return {"ease": "EASE"}.get(name, name)


def _privacy(privacy: Record) -> str:
    if privacy["unit"] == Unit.NONE:
        return "Nothing protects the people in this run; it shows what the model can do without privacy."
    odds = math.exp(min(privacy["epsilon"], 700))
    bound = f"{odds:,.2g}" if odds < 10 else f"{odds:,.0f}" if odds < 1e6 else "a million or more"
    limit = "" if privacy["epsilon_limit"] is None else f" The limit was ε = {privacy['epsilon_limit']:g}."
    return (
        f"The published model hides {_PROTECTED[Unit(privacy['unit'])]}, up to a bound: {epsilon_in_full(privacy)}. In "
        f"words: no conclusion that anybody draws becomes more than {bound} times likelier through it, but for a "
        f"chance of {privacy['delta']:g}; smaller is stronger.{limit}"
    )


def _fairness(section: Record) -> str:
    gaps = section["gaps"]
    if not gaps:
        return "No two groups were large enough to be compared."
    clear = [gap for gap in gaps if gap["verdict"] == Verdict.GAP]
    unclear = [_attribute(gap["attribute"]) for gap in gaps if gap["verdict"] != Verdict.GAP]
    parts = [
        f"by {_attribute(gap['attribute'])}, group '{gap['worst']}' is served worse than '{gap['best']}' "
        f"(NDCG@10 lower by {gap['value']:.3f}, between {gap['ci_low']:.3f} and {gap['ci_high']:.3f})"
        for gap in clear
    ]
    if unclear:
        parts.append(
            f"by {', '.join(unclear)}, the figures are inconclusive: chance alone could make such gaps"
        )
    return f"Between groups: {'; '.join(parts)}."


def _attribute(name: str) -> str:
    return _ATTRIBUTE_NAMES.get(name, name.replace("_", " "))


def _adapter(adapter: Record) -> str:
    n = adapter["better"] + adapter["same"] + adapter["worse"]
    if n == 0:
        return "The personal adapters could not be judged."
    better, worse = percent(adapter["better"] / n), percent(adapter["worse"] / n)
    return (
        f"The personal adapter, which never leaves the device, moved the right item up for {better} of people and down "
        f"for {worse}; NDCG@10 is {adapter['ndcg@10']:.4f} with it and {adapter['ndcg@10_without']:.4f} without."
    )


def _cost(cost: Record) -> str:
    return (
        f"It took {cost['client_updates']:,} client updates in {cost['seconds']:,.0f} seconds "
        f"({cost['ms_per_client']:.2g} ms each on this machine); clients sent {cost['bytes_up'] / 1e6:,.1f} MB and "
        f"received {cost['bytes_down'] / 1e6:,.1f} MB."
    )
