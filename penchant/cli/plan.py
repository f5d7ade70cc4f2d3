"""`penchant plan`: what a run would cost in privacy, time and traffic, before anything is spent."""

from dataclasses import asdict
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput
from penchant.types import NoiseAt, Sampling, Unit

if TYPE_CHECKING:
    from penchant.privacy.alternatives import Alternative
    from penchant.privacy.planner import Plan
    from penchant.report import Expected

_ROUNDS, _EPSILON, _DELTA = 60, 8.0, 1e-5

_DROWNED = 4.5
"""Measured: at 3.5 (MovieTweetings, 200 people) pairs gave nothing, at 5.1 (MovieLens-100K) they doubled NDCG@10."""


@app.command()
def plan(
    recipe: Annotated[
        Path | None, typer.Argument(help="A TOML file of settings; flags win over it.", show_default=False)
    ] = None,
    privacy: Annotated[Unit | None, typer.Option(help="What is protected: none, event or user.")] = None,
    noise_at: Annotated[NoiseAt | None, typer.Option(help="Who adds the noise.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Rounds of training.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="The most that may be spent.")] = None,
    noise_multiplier: Annotated[
        float | None, typer.Option(help="Standard deviation of the noise over the clip bound.")
    ] = None,
    delta: Annotated[float | None, typer.Option(help="Chance that the bound does not hold.")] = None,
    people: Annotated[int | None, typer.Option(help="Everyone whom the federation is for.")] = None,
    cohort: Annotated[int | None, typer.Option(help="People expected each round.")] = None,
    sampling: Annotated[
        Sampling | None,
        typer.Option(help="all, fixed, poisson (secret and independent, and so amplified) or rotation."),
    ] = None,
    sampling_rate: Annotated[
        float | None,
        typer.Option(help="Chance to join a round under poisson, instead of --people and --cohort."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="The data, as past runs name it.")] = None,
    runs: Annotated[
        list[Path] | None, typer.Option(help="Where past runs lie; runs/ unless it is given.")
    ] = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,  # noqa: ARG001 - read by the command line's frame
) -> None:
    """Say what a run would cost, from any three of --epsilon, --noise-multiplier, --rounds and --cohort.

    Where past runs on the same data are found, time, bytes and accuracy are expected from them. Spends nothing.
    """
    terms: dict[str, Any] = {
        "privacy": privacy,
        "noise_at": noise_at,
        "rounds": rounds,
        "epsilon": epsilon,
        "noise_multiplier": noise_multiplier,
        "delta": delta,
        "cohort": cohort,
        "sampling": sampling,
        "data": data,
        "clip_quantile": None,
        "clip_share": None,
    }
    output = Output(fmt, quiet=quiet)
    counts = _counts_alone(recipe, epsilon, delta, people) if recipe and rounds is None else None
    if counts is not None:
        output.result(counts, _counts_table(counts))
        return
    terms = _with_defaults(_with_recipe(terms, recipe) if recipe else terms)
    if terms["privacy"] is Unit.NONE:
        output.result(
            {"unit": "none", "epsilon": None, "private": False},
            "NOT PRIVATE: there is no epsilon to plan.",
        )
        return
    from penchant.privacy.alternatives import alternatives
    from penchant.privacy.planner import plan as plan_for
    from penchant.report import expected, past_runs

    past = past_runs(runs or [Path("runs")])
    if people is None:
        people = next((run.people for run in past if run.data == terms["data"]), None)
    found = plan_for(_wish(terms, people, sampling_rate))
    wish = found.wish
    ways = alternatives(found)
    hoped = expected(
        past,
        data=terms["data"],
        unit=wish.unit,
        epsilon=found.priced.epsilon,
        rounds=found.rounds,
        cohort=wish.cohort or people,
    )
    clip = _following(found, terms)
    record = {
        **found.to_record(),
        "clip": clip,
        "private": True,
        "alternatives": [asdict(way) for way in ways],
        "expected": None if hoped is None else asdict(hoped),
    }
    output.result(record, Group(*_tables(found, ways, hoped, clip)))


def _counts_alone(
    recipe: Path, epsilon: float | None, delta: float | None, people: int | None
) -> dict[str, Any] | None:
    """The price of a recipe that counts and trains nothing; None for any other."""
    from penchant.interest.counting import n_pairs
    from penchant.privacy.pricing import cross_checked
    from penchant.simulation.settings import load_settings
    from penchant.strategies.resolution import count_releases

    settings = load_settings(recipe, {"privacy.epsilon": epsilon, "privacy.delta": delta})
    if settings.federation.rounds or settings.privacy.unit is Unit.NONE:
        return None
    events = count_releases(settings.privacy, settings.federation, settings.company)
    priced = cross_checked(list(events.values()), delta=settings.privacy.delta)
    noise = {str(what): event.noise_multiplier for what, event in events.items()}
    record = {**priced.to_record(), "rounds": 0, "counts": noise, "private": True}
    if people is None or settings.privacy.unit is not Unit.USER:
        return record
    # Each person adds a vector of length 1: together they add one of length `people` at most, where all agree.
    length = noise["pairs"] * sqrt(n_pairs(settings.company.items, ordered=settings.company.ordered))
    return {**record, "people": people, "pairs_over_noise_at_most": people / length}


def _counts_table(record: dict[str, Any]) -> Table:
    table = Table(title="What it would cost: counts alone, nothing is trained")
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("ε of one " + record["unit"], f"{record['epsilon']:.4f}")
    table.add_row("δ", f"{record['delta']:g}")
    table.add_row(f"{record['cross_check']} says", f"{record['cross_check_epsilon']:.4f}")
    for what, multiplier in record["counts"].items():
        table.add_row(f"noise multiplier of {what}", f"{multiplier:.4f}")
    most = record.get("pairs_over_noise_at_most")
    if most is not None:
        table.add_row("what all people say in pairs, over its noise, at most", f"{most:.1f}")
        if most < _DROWNED:
            table.caption = (
                f"Pairs drown: {record['people']} people are few for so many. Lists will stay close to what everybody"
                " likes. Where that was measured, it came within 2% of any reference up to five events, and a head"
                " carried from another catalogue did not better it. More people help, or fewer company.items."
            )
    return table


def _with_recipe(terms: dict[str, Any], recipe: Path) -> dict[str, Any]:
    """What flags leave open is as the recipe says; of epsilon and noise, a flag replaces both."""
    from penchant.simulation.settings import load_settings

    settings = load_settings(recipe, {})
    said: dict[str, Any] = {
        "privacy": settings.privacy.unit,
        "noise_at": settings.privacy.noise_at,
        "rounds": settings.federation.rounds,
        "delta": settings.privacy.delta,
        "cohort": settings.federation.cohort,
        "sampling": settings.federation.sampling,
        "data": settings.data,
        "clip_quantile": settings.privacy.clip_quantile,
        "clip_share": settings.privacy.clip_share,
    }
    if terms["epsilon"] is None and terms["noise_multiplier"] is None:
        said |= {
            "epsilon": settings.privacy.epsilon if settings.privacy.noise_multiplier is None else None,
            "noise_multiplier": settings.privacy.noise_multiplier,
        }
    return {name: said.get(name) if value is None else value for name, value in terms.items()}


def _with_defaults(terms: dict[str, Any]) -> dict[str, Any]:
    given = sum(terms[name] is not None for name in ("rounds", "epsilon", "noise_multiplier"))
    missing: dict[str, Any] = {"privacy": Unit.USER, "noise_at": NoiseAt.SERVER, "delta": _DELTA}
    if given < 2 and terms["rounds"] is None:
        missing["rounds"] = _ROUNDS
    if terms["epsilon"] is None and terms["noise_multiplier"] is None:
        missing["epsilon"] = _EPSILON
    return {name: missing.get(name) if value is None else value for name, value in terms.items()}


def _wish(terms: dict[str, Any], people: int | None, rate: float | None) -> Any:
    from penchant.privacy.calibrate import checked_delta_for
    from penchant.privacy.planner import Wish

    cohort, sampling = terms["cohort"], terms["sampling"]
    if people is not None:
        checked_delta_for(terms["delta"], people=people)
        if cohort is not None and cohort >= people:
            raise BadInput(f"--cohort {cohort} of --people {people} is everybody: leave it out")
    if rate is not None and (sampling not in (None, Sampling.POISSON) or cohort is not None):
        raise BadInput("--sampling-rate goes with poisson sampling and without --cohort")
    if cohort is not None and people is None and sampling in (Sampling.POISSON, Sampling.ROTATION):
        raise BadInput(f"--sampling {sampling} needs --people with --cohort")
    unknown = Sampling.POISSON if rate is not None else Sampling.ALL if cohort is None else Sampling.FIXED
    return Wish(
        terms["privacy"],
        terms["delta"],
        terms["epsilon"],
        terms["noise_multiplier"],
        terms["rounds"],
        people,
        cohort,
        sampling or unknown,
        rate,
        correlate=terms["noise_at"] is NoiseAt.SERVER and terms["clip_quantile"] is None,
    )


def _following(found: "Plan", terms: dict[str, Any]) -> dict[str, float] | None:
    """How the price of a round is shared out, where the clip bound follows the updates."""
    from penchant.privacy.adaptive_clip import shared_out

    if terms["clip_quantile"] is None:
        return None
    update, votes = shared_out(found.noise_multiplier, share=terms["clip_share"])
    return {
        "quantile": terms["clip_quantile"],
        "share": terms["clip_share"],
        "update_noise_multiplier": update,
        "votes_noise_multiplier": votes,
    }


def _tables(
    found: "Plan", ways: list["Alternative"], hoped: "Expected | None", clip: dict[str, float] | None
) -> list[Table]:
    tables = [_price(found, _noise(found, ways), clip)]
    if len(ways) > 1:
        tables.append(_same_epsilon(ways))
    if hoped is not None:
        tables.append(_expectation(hoped))
    return tables


def _noise(found: "Plan", ways: list["Alternative"]) -> str:
    """Says what was picked, and by how much it is better."""
    if found.band == 1:
        return "independent in each round"
    errors = {way.band: way.error for way in ways if way.sampling is Sampling.ROTATION}
    share = errors[found.band] / errors[1]
    return f"correlated over {found.band} rounds: leaves {share:.2f} of what independent noise does"


def _price(found: "Plan", noise: str, clip: dict[str, float] | None) -> Table:
    priced, wish = found.priced, found.wish
    rows = {
        "epsilon": f"{priced.epsilon:.3f} at delta {priced.delta:g}",
        "without amplification": f"{priced.epsilon_unamplified:.3f}",
        "protects": f"{priced.unit}: {priced.adjacency}",
        "sampling": _sampling(found),
        "rounds": f"{found.rounds}",
        "noise multiplier": f"{found.noise_multiplier:.4f}",
        "noise": noise,
        **({} if clip is None else {"clip bound": _clip(clip)}),
        "people, cohort": f"{wish.people or '-'}, {wish.cohort or '-'}",
        "accountant": priced.accountant,
        "cross-check": f"{priced.cross_check_epsilon:.3f} by {priced.cross_check}",
    }
    return _pairs("What this would cost", rows)


def _clip(clip: dict[str, float]) -> str:
    return (
        f"follows quantile {clip['quantile']:g} of the norms for {clip['share']:.0%} of each round: update"
        f" {clip['update_noise_multiplier']:.4f}, votes {clip['votes_noise_multiplier']:.4f}"
    )


def _sampling(found: "Plan") -> str:
    wish = found.wish
    if wish.chance is not None:
        return f"poisson, rate {wish.chance:g}, secret"
    if wish.sampling is Sampling.ROTATION:
        return f"rotation: everybody takes part, and pays, in one round of {wish.turns}"
    return "everybody (or no claim)"


def _same_epsilon(ways: list["Alternative"]) -> Table:
    table = Table(
        title="What the same epsilon buys",
        caption="noise left: in the sum of all steps, root mean square, over that of the first line",
    )
    for column in ("way", "noise multiplier", "noise left"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for way in ways:
        name = f"{way.name}, over {way.band} rounds" if way.band > 1 else way.name
        mark = "  <- this plan" if way.chosen else ""
        table.add_row(f"{name}{mark}", f"{way.noise_multiplier:.3f}", f"{way.error / ways[0].error:.2f}")
    return table


def _expectation(hoped: "Expected") -> Table:
    rows = {
        "time": f"{hoped.seconds:,.0f} s of training",
        "traffic": f"{hoped.bytes_up / 1e6:,.1f} MB up, {hoped.bytes_down / 1e6:,.1f} MB down, all people together",
        **{name.upper(): f"{value:.4f}" for name, value in hoped.accuracy.items()},
        "from": "; ".join(hoped.learnt_from),
    }
    return _pairs("What past runs lead one to expect", rows)


def _pairs(title: str, rows: dict[str, str]) -> Table:
    table = Table(title=title, show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    return table
