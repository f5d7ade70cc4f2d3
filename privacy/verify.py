"""Hold a run against its ledger, and say of each check whether it held."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from penchant.errors import CheckFailed, PenchantError
from penchant.privacy.chain import Entry
from penchant.privacy.charges import Charge, Charges
from penchant.privacy.keys import PublicKey
from penchant.privacy.ledger import read_ledger
from penchant.privacy.witness import Witness
from penchant.rundir import RunDirectory
from penchant.types import Unit


@dataclass(frozen=True)
class Evidence:
    """What an auditor holds. key, witness: from outside the run, or None where the auditor has none."""

    run: RunDirectory
    record: dict[str, Any]
    rows: list[dict[str, Any]]
    entries: list[Entry]
    charges: Charges
    key: PublicKey | None
    witness: Witness | None

    @property
    def stated(self) -> dict[str, Any]:
        """What run.json says about privacy."""
        privacy: dict[str, Any] = self.record["privacy"]
        return privacy

    @property
    def updates(self) -> list[Charge]:
        """The charges for the heads of rounds."""
        return [charge for charge in self.charges.all() if charge.purpose == "update"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. detail: what held, or the first thing that did not, with the entry's number."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings, in order. Any doubt is a failure."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)

    def to_record(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return {"verdict": "holds" if self.ok else "doubted", "findings": [asdict(f) for f in self.findings]}


Check = Callable[[Evidence], str]
"""Returns what held, in words. Raises: CheckFailed with the doubt."""


def verify(
    run: RunDirectory, checks: Sequence[tuple[str, Check]], *, key: PublicKey | None, witness: Witness | None
) -> Verdict:
    """Apply every check. A broken chain ends it at once: nothing that is built on it can be told.

    Raises: BadInput where there is no run, or the run protects nobody and so has nothing to verify.
    """
    record = run.read_settings()
    if record["privacy"]["unit"] == Unit.NONE:
        return Verdict(
            (Finding("private", False, "NOT PRIVATE: this run has no ledger, and protects nobody"),)
        )
    try:
        entries = read_ledger(run.ledger_path)
        charges = Charges(entries)
    except PenchantError as error:
        return Verdict((Finding("chain", False, str(error)),))
    evidence = Evidence(run, record, run.read_metrics(), entries, charges, key, witness)
    chain = Finding("chain", True, f"{len(entries)} entries, each sealing the one before, in legal states")
    return Verdict((chain, *(_finding(name, check, evidence) for name, check in checks)))


def _finding(name: str, check: Check, evidence: Evidence) -> Finding:
    try:
        return Finding(name, True, check(evidence))
    except PenchantError as error:
        return Finding(name, False, str(error))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return Finding(name, False, f"the run's records cannot be read: {error!r}")


def expect(holds: bool, doubt: str) -> None:
    """Raises: CheckFailed with the doubt unless it holds."""
    if not holds:
        raise CheckFailed(doubt)
