"""Makes a count durable: charge, write, mark released, in the order that never under-counts."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors.numpy import load, save

from penchant.errors import CheckFailed
from penchant.privacy.charges import Charge, State
from penchant.privacy.events import PrivacyEvent
from penchant.rundir import RunDirectory, read_json, write_atomically, write_json
from penchant.server.journal import Account
from penchant.strategies import Draw, HeadState, RoundSummary
from penchant.strategies.counting import What
from penchant.types import F32, NoiseAt

ROUND: Final = 0
"""Counts come before the first round of training."""


class CountJournal:
    """One count of a run. `restore` gives what an earlier attempt left."""

    def __init__(
        self,
        run: RunDirectory,
        what: What,
        account: Account | None,
        *,
        lifetime: Account | None = None,
        done: Callable[[dict[str, Any]], None] = lambda row: None,
    ) -> None:
        """account: None where nothing is protected.  lifetime: what the same people spend over several runs."""
        self._run, self._what, self._account, self._lifetime, self._done = run, what, account, lifetime, done
        self._charge: Charge | None = None
        self._started = time.monotonic()

    @property
    def _path(self) -> Path:
        return self._run.counts / f"{self._what}.safetensors"

    def restore(self) -> F32 | None:
        """The released mean, float32[size]; None where it is still to be counted.

        Raises: CheckFailed where it was released and is lost: its noise can never be drawn again.
        """
        content = self._path.read_bytes() if self._path.is_file() else None
        if self._account is None:
            return None if content is None else _values(content)
        charge = self._earlier()
        if charge is None:
            return None
        if content is not None and charge.result == hashlib.sha256(content).hexdigest():
            self._settle(charge)
            return _values(content)
        if charge.went_out and not self._account.reproducible:
            raise CheckFailed(f"{self._path}: lost or changed since it was released; start another run")
        return None

    def charge(self, round_: int, event: PrivacyEvent | None, draw: Draw) -> None:
        """Reserve the count's cost. Raises: BudgetExceeded, and nothing has happened."""
        del round_, draw  # everybody takes part, and pays
        self._started = time.monotonic()
        if event is None or self._account is None:
            return
        if self._lifetime is not None:  # there it stays reserved, which counts for ever
            self._reserved(self._lifetime, event)
        self._charge = self._reserved(self._account, event)

    def persist(self, state: HeadState, summary: RoundSummary) -> None:
        """Write the count, mark it released, and record what it cost."""
        content = save({"mean": state.head})
        write_atomically(self._path, content)
        if self._charge is not None:
            assert self._account is not None
            digest = hashlib.sha256(content).hexdigest()
            self._account.ledger.persisted(self._charge.id, digest)
            self._settle(self._account.ledger.charges.get(self._charge.id))
        row = {
            "what": str(self._what),
            "clients": summary.admitted,
            "refused": len(summary.refused),
            "seconds": time.monotonic() - self._started,
            "bytes_up": summary.bytes_up,
            "bytes_down": summary.bytes_down,
        }
        write_json(self._path.with_suffix(".json"), row)
        self._done(row)

    def _reserved(self, account: Account, event: PrivacyEvent) -> Charge:
        return account.ledger.resume(
            ROUND,
            event,
            budget=account.budget,
            reproducible=account.reproducible,
            noise_at=NoiseAt.SERVER,
            purpose=str(self._what),
        )

    def _earlier(self) -> Charge | None:
        assert self._account is not None
        ledger = self._account.ledger
        own = [c for c in ledger.charges.all() if c.purpose == self._what and c.state is not State.ABORTED]
        return own[-1] if own else None

    def _settle(self, charge: Charge) -> None:
        assert self._account is not None
        if charge.state is State.PERSISTED:
            self._account.ledger.released(charge.id)
        if charge.state in (State.PERSISTED, State.RELEASED):
            self._account.ledger.published(charge.id)


def counting_rows(run: RunDirectory) -> list[dict[str, Any]]:
    """What each finished count cost, as a round's row does."""
    paths = (run.counts / f"{what}.json" for what in What)
    return [read_json(path) for path in paths if path.is_file()]


def _values(content: bytes) -> F32:
    return np.asarray(load(content)["mean"], np.float32)
