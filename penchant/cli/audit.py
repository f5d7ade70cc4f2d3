"""`penchant audit`: check a run's privacy without trusting whoever made it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.errors import BadInput
from penchant.rundir import RunDirectory, write_json
from penchant.types import NoiseAt, Unit

if TYPE_CHECKING:
    from penchant.privacy.verify import Verdict
    from penchant.simulation.attack import Attack

_ROUNDS: Final = 6

audit_app = typer.Typer(help="Check a run's privacy without trusting whoever made it.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")


@audit_app.command()
def verify(
    run: Annotated[Path, typer.Argument(help="The run's directory.")],
    key: Annotated[
        str | None, typer.Option(help="Public key that you trust: its digits, or a .pub file.")
    ] = None,
    witness: Annotated[
        Path | None, typer.Option(help="The file in which this run's heads were kept.")
    ] = None,
    allow_unsigned: Annotated[
        bool, typer.Option("--allow-unsigned", help="Accept a ledger that nobody signed or witnessed.")
    ] = False,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,  # noqa: ARG001 - read by the command line's frame
) -> int:
    """Recompute a run's privacy from its ledger; exit 1 on any doubt, naming the first wrong entry."""
    from penchant.privacy.checks import CHECKS, UNSIGNED_CHECKS
    from penchant.privacy.keys import PublicKey
    from penchant.privacy.verify import verify as verdict_of
    from penchant.privacy.witness import Witness

    verdict = verdict_of(
        RunDirectory.existing(run),
        UNSIGNED_CHECKS if allow_unsigned and key is None and witness is None else CHECKS,
        key=PublicKey.read(key) if key else None,
        witness=Witness(witness) if witness else None,
    )
    Output(fmt, quiet=quiet).result({"run": str(run), **verdict.to_record()}, _table(run, verdict))
    return 0 if verdict.ok else 1


@audit_app.command()
def attack(
    recipe: Annotated[Path | None, typer.Argument(help="A run's TOML settings.", show_default=False)] = None,
    data: Annotated[str | None, typer.Option(help="A known data set or your own file or folder.")] = None,
    privacy: Annotated[Unit | None, typer.Option(help="The unit whose claim is attacked.")] = None,
    noise_at: Annotated[NoiseAt | None, typer.Option(help="Who adds the noise.")] = None,
    rounds: Annotated[
        int | None,
        typer.Option(help="Rounds of the shadow federation; 6, or none where the recipe trains in none."),
    ] = None,
    counts: Annotated[
        bool, typer.Option("--counts", help="Attack the counts that the recipe starts with, and no rounds.")
    ] = False,
    epsilon: Annotated[float, typer.Option(help="What the shadow federation claims.")] = 2.0,
    canaries: Annotated[int, typer.Option(help="Contributions that are in or out by a coin.")] = 1000,
    guesses: Annotated[int, typer.Option(help="How many of the coins the attacker tells.")] = 200,
    save: Annotated[
        Path | None, typer.Option(help="A run's directory: keep the result there, for its report.")
    ] = None,
    plant: Annotated[
        str | None, typer.Option(help="Plant a mistake, to see that the attack finds it.", metavar="MISTAKE")
    ] = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,  # noqa: ARG001 - read by the command line's frame
) -> int:
    """Attack a shadow federation that runs the production code; exit 1 when more is proved than was claimed."""
    import logging

    from penchant.simulation.attack import attack as attacked
    from penchant.simulation.attack import claiming
    from penchant.simulation.attack.planted import Mistake, mistake_named, planted
    from penchant.simulation.settings import load_settings
    from penchant.simulation.world import build_world
    from penchant.strategies.counting import asked

    flags = {"data": data, "privacy.unit": privacy, "privacy.noise_at": noise_at}
    if counts or (rounds is None and load_settings(recipe, flags).federation.rounds == 0):
        rounds = 0
    settings = load_settings(recipe, {**flags, "federation.rounds": _ROUNDS if rounds is None else rounds})
    settings = claiming(settings, epsilon)
    mistake = mistake_named(plant) if plant else None
    if mistake is Mistake.SAME_NOISE_EACH_ROUND and not settings.federation.rounds:
        raise BadInput(
            f"--plant {mistake}: each count is released once; plant it into rounds, with --rounds 6"
        )
    output = Output(fmt, quiet=quiet)
    logging.getLogger("flwr").setLevel(logging.WARNING)
    world = build_world(settings)
    steps = settings.federation.rounds or len(asked(settings.company))
    with tempfile.TemporaryDirectory() as folder, planted(mistake), output.progress("Attack", steps) as tick:
        found = attacked(
            settings, world, Path(folder) / "shadow", canaries=canaries, guesses=guesses, done=tick
        )
    record = {"planted": plant, **found.to_record()}
    if save is not None:
        write_json(RunDirectory.existing(save).attack_path, record)
    output.result(record, _attack_table(found, plant))
    return 1 if found.refuted else 0


def _attack_table(found: "Attack", plant: str | None) -> Table:
    claim, bound = found.claim, found.bound
    title = "MORE IS PROVED THAN WAS CLAIMED" if found.refuted else "The claim stands"
    table = Table(title=title if plant is None else f"{title} (planted: {plant})", show_header=False)
    rows = {
        "claim": f"epsilon {claim.epsilon:.3f} for one {claim.unit} at delta {claim.delta:g}",
        "proved": f"epsilon above {bound.epsilon:.3f}, with {bound.confidence:.0%} confidence",
        "could have proved": f"{bound.most:.3f}, had every guess been right",
        "guesses": f"{bound.right} of {bound.guesses} right, about {bound.canaries} canaries",
        "the attacker sees": found.sees,
    }
    for name, told in (("releases", found.model), ("recommendations", found.recommendations)):
        found_at = f"{told.tpr_at_1_percent:.3f} at 1%, {told.tpr_at_01_percent:.3f} at 0.1% false alarms"
        rows[f"membership from the {name}"] = f"AUC {told.auc:.3f}; finds {found_at}"
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _table(run: Path, verdict: "Verdict") -> Table:
    table = Table("check", "", "what was found", title=f"Audit of {run}: {verdict.to_record()['verdict']}")
    for finding in verdict.findings:
        table.add_row(finding.check, "holds" if finding.ok else "DOUBT", finding.detail)
    return table
