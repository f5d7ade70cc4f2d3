"""The run's journal: charge, train, persist, mark released, publish, in the order that never under-counts."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from penchant.errors import CheckFailed
from penchant.privacy.accountants import PLDAccountant
from penchant.privacy.charges import Charge, State
from penchant.privacy.events import PoissonGaussianSum, PrivacyEvent
from penchant.privacy.ledger import Budget, Ledger
from penchant.privacy.pricing import cross_checked
from penchant.rundir import RunDirectory
from penchant.server.checkpoints import Checkpoints, skipped_to
from penchant.strategies import Draw, Guarantee, HeadState, RoundSummary

MetricsRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger of a private run, what it may spend, and whether its noise can be drawn again."""

    ledger: Ledger
    budget: Budget
    reproducible: bool

    def solvent(self, people: set[str], event: PrivacyEvent, round_: int) -> set[str]:
        """Those who can pay for this event. Whoever pays for this very round already pays for nothing more."""
        charges = self.ledger.charges
        paying: set[str] = set()
        for charge in charges.all():
            if (charge.run, charge.round, charge.purpose) == (self.ledger.run_id, round_, "update"):
                paying |= set(charge.people or ()) if charge.state is State.RESERVED else set()
        prices: dict[frozenset[tuple[PrivacyEvent, int]], float] = {}
        kept = people & paying
        for person in people - paying:
            after = charges.history(person) + Counter([event])
            key = frozenset(after.items())
            if key not in prices:
                prices[key] = PLDAccountant().epsilon(list(after.elements()), delta=self.budget.delta)
            if prices[key] <= self.budget.epsilon:
                kept.add(person)
        return kept


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a simulation adds to a round. A deployment leaves them out.

    persist: saves what else belongs to a round, before the round counts as persisted.
    observe: measures the new head on data that a server does not have.
    done: told of every finished round's row.
    """

    persist: Callable[[int], None] = lambda round_: None
    observe: Callable[[HeadState], dict[str, float] | None] = lambda state: None
    done: Callable[[MetricsRow], None] = lambda row: None


class RunJournal:
    """Keeps a run directory's checkpoints, ledger and metrics in step."""

    def __init__(
        self,
        run: RunDirectory,
        guarantee: Guarantee,
        account: Account | None,
        hooks: Hooks,
        *,
        lifetime: Account | None = None,
    ) -> None:
        """account: None where nothing is protected.  lifetime: what the same people spend over several runs."""
        self._run = run
        self._guarantee = guarantee
        self._account = account
        self._lifetime = lifetime
        self._hooks = hooks
        self._checkpoints = Checkpoints(run.checkpoints)
        self._charge: Charge | None = None
        self._started = time.monotonic()

    def restore(self) -> HeadState | None:
        """Where to go on after a stop or a crash; None before the first round.

        A round whose checkpoint is durable counts as done. A released round whose checkpoint is lost is passed over,
        not released again, unless its noise can be drawn again exactly.
        """
        found = self._checkpoints.latest()
        if found is None:
            return None
        state, digest = found
        if self._account is not None:
            charge = self._charge_of(state.round)
            if charge is not None:
                self._settle(charge, digest)
            if not self._account.reproducible:
                state = skipped_to(state, self._last_released())
        return state

    def charge(self, round_: int, event: PrivacyEvent | None, draw: Draw) -> None:
        """Reserve the round's cost. Raises: BudgetExceeded, and nothing has happened; CheckFailed for a claim of
        amplification that rests on coins which can be thrown again."""
        self._started = time.monotonic()
        if event is None or self._account is None:
            return
        if isinstance(event, PoissonGaussianSum) and not (draw.secret or self._account.reproducible):
            raise CheckFailed(
                f"round {round_}: amplification is claimed, but its people were not drawn in secret"
            )
        if self._lifetime is not None:  # there it stays reserved, which counts for ever
            self._reserved(self._lifetime, round_, event, draw)
        self._charge = self._reserved(self._account, round_, event, draw)

    def solvent(self, round_: int, event: PrivacyEvent | None, draw: Draw) -> Draw:
        """The draw without those who would pass their budget. Where everybody pays, nobody can be left out alone.

        It looks at what was spent and at nothing else, so that leaving somebody out tells nothing of what they did.
        """
        if event is None or draw.payers is None:
            return draw
        kept = set(draw.payers)
        for account in filter(None, (self._account, self._lifetime)):
            kept &= account.solvent(kept, event, round_)
        people = [person for person in draw.people if str(person) in kept]
        return replace(draw, people=people, payers=tuple(map(str, people)))

    def _reserved(self, account: Account, round_: int, event: PrivacyEvent, draw: Draw) -> Charge:
        return account.ledger.resume(
            round_,
            event,
            budget=account.budget,
            reproducible=account.reproducible,
            noise_at=self._guarantee.noise_at,
            people=draw.payers,
        )

    def persist(self, state: HeadState, summary: RoundSummary) -> None:
        """Make the round durable, mark it released, and record it."""
        self._hooks.persist(state.round)
        digest = self._checkpoints.save(state)
        if self._charge is not None:
            self._settle(self._charge, digest)
        row = self._row(state, summary)
        self._run.append_metrics(row)
        self._hooks.done(row)

    def _settle(self, charge: Charge, digest: str) -> None:
        assert self._account is not None
        ledger = self._account.ledger
        if charge.state is State.RESERVED:
            ledger.persisted(charge.id, digest)
        if charge.state in (State.RESERVED, State.PERSISTED):
            ledger.released(charge.id)
        if charge.state in (State.RESERVED, State.PERSISTED, State.RELEASED):
            ledger.published(charge.id)

    def _charge_of(self, round_: int) -> Charge | None:
        assert self._account is not None
        charges = [c for c in self._updates() if c.round == round_ and c.state is not State.ABORTED]
        return charges[-1] if charges else None

    def _last_released(self) -> int:
        assert self._account is not None
        return max((c.round for c in self._updates() if c.went_out), default=0)

    def _updates(self) -> list[Charge]:
        """The charges for rounds of training, and not for figures that were released besides."""
        assert self._account is not None
        return [c for c in self._account.ledger.charges.all() if c.purpose == "update"]

    def _row(self, state: HeadState, summary: RoundSummary) -> MetricsRow:
        return {
            "round": state.round,
            "clients": summary.admitted,
            "refused": len(summary.refused),
            "clipped": summary.clipped,
            "clip_bound": state.clip_bound,
            "seconds": time.monotonic() - self._started,
            "bytes_up": summary.bytes_up,
            "bytes_down": summary.bytes_down,
            "update_norm": summary.update_norm,
            **self._spent(),
            "validation": self._hooks.observe(state),
        }

    def _spent(self) -> dict[str, float | None]:
        if self._account is None:
            return {"epsilon": None, "epsilon_unamplified": None, "epsilon_limit": None}
        priced = cross_checked(self._account.ledger.charges.spent(), delta=self._account.budget.delta)
        return {
            "epsilon": priced.epsilon,
            "epsilon_unamplified": priced.epsilon_unamplified,
            "epsilon_limit": self._account.budget.epsilon,
        }
