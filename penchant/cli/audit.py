"""`penchant audit`: check a run's privacy without trusting whoever made it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.rundir import RunDirectory

if TYPE_CHECKING:
    from penchant.privacy.verify import Verdict

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


def _table(run: Path, verdict: "Verdict") -> Table:
    table = Table("check", "", "what was found", title=f"Audit of {run}: {verdict.to_record()['verdict']}")
    for finding in verdict.findings:
        table.add_row(finding.check, "holds" if finding.ok else "DOUBT", finding.detail)
    return table
