"""`penchant plan`: what a run would cost in privacy, before anything is spent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput
from penchant.types import Sampling, Unit

if TYPE_CHECKING:
    from penchant.privacy.planner import Plan

_ROUNDS, _EPSILON, _DELTA = 60, 8.0, 1e-5


@app.command()
def plan(
    privacy: Annotated[Unit, typer.Option(help="What is protected: none, event or user.")] = Unit.USER,
    rounds: Annotated[int | None, typer.Option(help="Rounds of training.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="The most that may be spent.")] = None,
    noise_multiplier: Annotated[
        float | None, typer.Option(help="Standard deviation of the noise over the clip bound.")
    ] = None,
    delta: Annotated[float, typer.Option(help="Chance that the bound does not hold.")] = _DELTA,
    people: Annotated[int | None, typer.Option(help="Everyone whom the federation is for.")] = None,
    cohort: Annotated[int | None, typer.Option(help="People expected each round.")] = None,
    sampling: Annotated[
        Sampling | None,
        typer.Option(help="all, fixed, or poisson: secret and independent, and so amplified."),
    ] = None,
    sampling_rate: Annotated[
        float | None,
        typer.Option(help="Chance to join a round under poisson, instead of --people and --cohort."),
    ] = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,  # noqa: ARG001 - read by the command line's frame
) -> None:
    """Say what a run would cost, from any two of --epsilon, --noise-multiplier and --rounds.

    With --sampling poisson and --people, and all three given, the largest affordable cohort is found. Spends nothing.
    """
    output = Output(fmt, quiet=quiet)
    if privacy is Unit.NONE:
        output.result(
            {"unit": "none", "epsilon": None, "private": False},
            "NOT PRIVATE: there is no epsilon to plan.",
        )
        return
    from penchant.privacy.calibrate import checked_delta_for
    from penchant.privacy.planner import Wish, plan_rate
    from penchant.privacy.planner import plan as plan_for

    if people is not None:
        checked_delta_for(delta, people=people)
    rate, find_cohort = _rate(sampling, sampling_rate, people, cohort)
    if sum(value is not None for value in (rounds, epsilon, noise_multiplier)) < 2 and rounds is None:
        rounds = _ROUNDS
    if epsilon is None and noise_multiplier is None:
        epsilon = _EPSILON
    wish = Wish(privacy, delta, epsilon, noise_multiplier, rounds, rate)
    found = plan_rate(wish) if find_cohort else plan_for(wish)
    if find_cohort and people is not None:
        cohort = people if found.rate is None else int(found.rate * people)
    record: dict[str, Any] = {**found.to_record(), "people": people, "cohort": cohort, "private": True}
    output.result(record, _table(found, record))


def _rate(
    sampling: Sampling | None, rate: float | None, people: int | None, cohort: int | None
) -> tuple[float | None, bool]:
    """The claimed rate, None for no claim, and whether the cohort is to be found."""
    if rate is not None:
        if sampling not in (None, Sampling.POISSON) or cohort is not None:
            raise BadInput("--sampling-rate goes with poisson sampling and without --cohort")
        return rate, False
    if sampling is not Sampling.POISSON:
        return None, False
    if people is None:
        raise BadInput("--sampling poisson needs --people with --cohort, or --sampling-rate")
    if cohort is not None and cohort >= people:
        raise BadInput(f"--cohort {cohort} of --people {people} is everybody: nothing is sampled")
    return (None, True) if cohort is None else (cohort / people, False)


def _table(found: "Plan", record: dict[str, Any]) -> Table:
    priced = found.priced
    table = Table(title="What this would cost", show_header=False)
    rows = {
        "epsilon": f"{priced.epsilon:.3f} at delta {priced.delta:g}",
        "without amplification": f"{priced.epsilon_unamplified:.3f}",
        "protects": f"{priced.unit}: {priced.adjacency}",
        "sampling": f"poisson, rate {found.rate:g}, secret" if found.rate else "everybody (or no claim)",
        "rounds": f"{found.rounds}",
        "noise multiplier": f"{found.noise_multiplier:.4f}",
        "people, cohort": f"{record['people'] or '-'}, {record['cohort'] or '-'}",
        "accountant": priced.accountant,
        "cross-check": f"{priced.cross_check_epsilon:.3f} by {priced.cross_check}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
