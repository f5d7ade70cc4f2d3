"""One simulated run, from settings to a run directory that can be resumed, reported and audited."""

import hashlib
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from safetensors.numpy import load_file, save

from penchant.encoders import Whitening
from penchant.errors import BadInput, BudgetExceeded
from penchant.evaluation import Part
from penchant.interest.company import Company
from penchant.privacy.custody import open_account, open_run_ledger
from penchant.privacy.events import PrivacyEvent
from penchant.privacy.ledger import Budget, Ledger
from penchant.rundir import RunDirectory, write_atomically, write_json
from penchant.server.counting import CountJournal, counting_rows
from penchant.server.journal import Account, Hooks, RunJournal
from penchant.simulation.evaluate import evaluate_run, scorer, watched
from penchant.simulation.federation import Federation
from penchant.simulation.origin import Origin, write_items
from penchant.simulation.record import cost, now, run_record
from penchant.simulation.released import PURPOSE, release_metrics
from penchant.simulation.serving import Serving
from penchant.simulation.settings import RunSettings, validated
from penchant.simulation.world import World, build_world
from penchant.strategies import HeadState
from penchant.strategies.counting import What, told_of
from penchant.strategies.resolution import metrics_release
from penchant.types import F32, I32, NoiseAt, Unit


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of progress: items encoded, each round's row, that measuring begins, each count's row."""

    encoding: Callable[[int], None] = lambda items: None
    round: Callable[[dict[str, Any]], None] = lambda row: None
    measuring: Callable[[], None] = lambda: None
    counted: Callable[[dict[str, Any]], None] = lambda row: None


def simulate(
    settings: RunSettings, out: Path, *, resume: bool = False, watch: Watch | None = None
) -> RunDirectory:
    """Train, evaluate, and leave the run in `out`.

    resume: go on from the last finished round of the run in `out`; the settings must be the same.
    Raises: BadInput, BudgetExceeded (the rounds that were paid for are kept and evaluated), EnvironmentMissing.
    """
    watch = watch or Watch()
    logging.getLogger("flwr").setLevel(logging.WARNING)
    torch.set_num_threads(settings.threads)
    run = RunDirectory(out)
    _check_fresh(run, settings, resume=resume)
    origin = Origin.read(settings)
    world = build_world(settings, encoding=watch.encoding, basis=None if origin is None else origin.basis)
    federation = Federation.of(settings, world, origin)
    if not resume:
        run.write_settings(run_record(federation))
    with _accounts(run, federation) as (account, lifetime):
        company = _count(run, federation, account, lifetime, watch)
        hooks = Hooks(
            persist=lambda round_: federation.stores.save(run.personal, round_),
            observe=_observer(federation, company),
            done=watch.round,
        )
        journal = RunJournal(run, federation.guarantee, account, hooks, lifetime=lifetime)
        state = _restored(run, federation, journal)
        stopped: BudgetExceeded | None = None
        try:
            state = federation.train(state, journal, solvent=journal.solvent)
        except BudgetExceeded as error:
            restored = journal.restore()
            if restored is None:
                raise
            state, stopped = restored, error
    watch.measuring()
    federation.personalise(state)
    _finish(run, federation, state, company)
    if stopped is not None:
        raise stopped
    return run


@dataclass(frozen=True)
class FinishedRun:
    """A run as it serves people. adapters: float32[n_people, n_personal]."""

    settings: RunSettings
    world: World
    federation: Federation
    serving: Serving
    adapters: F32

    def newcomers(self, histories: Sequence[I32]) -> F32 | None:
        """Adapters of people who were never there: float32[n_people, n_personal]; None where none would be used.

        histories: int32[n_events] each, in order of time: all that is known of them, and what they are trained on.
        """
        if not self.serving.reads_adapters:
            return None
        return self.federation.adapted(self.serving.head, histories)


def load_run(run: RunDirectory) -> FinishedRun:
    """Raises: BadInput for a run that is not finished."""
    settings = validated(run.read_settings()["settings"], source=str(run.settings_path))
    if not run.shared_path.is_file():
        raise BadInput(
            f"{run.root}: the run is not finished; go on with `penchant simulate --out {run.root} --resume`"
        )
    world = build_world(settings, basis=Whitening.load(run.basis_path) if settings.origin else None)
    federation = Federation.of(settings, world)
    head = federation.layout.flatten(load_file(run.shared_path))
    adapters = load_file(run.personal / "adapters.safetensors")["adapters"]
    company = _company(run, settings) if run.company_path.is_file() else None
    return FinishedRun(settings, world, federation, federation.serving(head, company), adapters)


def _company(run: RunDirectory, settings: RunSettings) -> Company:
    tensors = load_file(run.company_path)
    if "target" not in tensors:
        raise BadInput(f"{run.company_path}: written by an earlier version; make the run again")
    return Company.read(tensors, settings.company)


def _check_fresh(run: RunDirectory, settings: RunSettings, *, resume: bool) -> None:
    exists = run.settings_path.is_file()
    if resume and not exists:
        raise BadInput(f"{run.root}: nothing to resume (run.json is missing); leave out --resume")
    if exists and not resume:
        raise BadInput(f"{run.root}: a run is here already; add --resume, or choose another --out")
    if resume and validated(run.read_settings()["settings"], source=str(run.settings_path)) != settings:
        raise BadInput(
            f"{run.root}: the settings differ from those the run was started with; use the same, or a new --out"
        )


@contextmanager
def _accounts(run: RunDirectory, federation: Federation) -> Iterator[tuple[Account | None, Account | None]]:
    """What the run spends, and what its people spend over several runs; None where nothing is protected, or asked."""
    if federation.guarantee.unit is Unit.NONE:
        yield None, None
        return
    with (
        open_run_ledger(run.ledger_path, run.read_settings()) as ledger,
        _lifetime(run, federation) as lifetime,
    ):
        yield _account(ledger, federation.settings), lifetime


def _count(
    run: RunDirectory,
    federation: Federation,
    account: Account | None,
    lifetime: Account | None,
    watch: Watch,
) -> Company | None:
    """What keeps company with what, by counts of this run: taken up where an earlier attempt left them."""
    terms = federation.counting
    if terms is None:
        return None
    released: dict[What, F32] = {}
    for what in terms.guarantees:
        journal = CountJournal(run, what, account, lifetime=lifetime, done=watch.counted)
        mean = journal.restore()
        released[what] = (
            federation.count(what, told_of(released), journal) if mean is None else federation.totals(mean)
        )
    company = federation.company(released)
    write_atomically(run.company_path, save(dict(company.tensors())))
    return company


@contextmanager
def _lifetime(run: RunDirectory, federation: Federation) -> Iterator[Account | None]:
    """What these people spend over several runs, where the settings name an account for it."""
    settings = federation.settings
    if settings.account is None or settings.lifetime_epsilon is None:
        yield None
        return
    names = "\n".join(federation.world.dataset.behaviours.user_ids)
    who = hashlib.sha256(names.encode()).hexdigest()
    with open_account(Path(settings.account), run_id=str(run.read_settings()["id"]), people=who) as ledger:
        budget = Budget(settings.lifetime_epsilon, settings.privacy.delta)
        yield Account(ledger, budget, settings.privacy.reproducible_noise)


def _account(ledger: Ledger, settings: RunSettings) -> Account:
    privacy = settings.privacy
    limit = privacy.epsilon if privacy.epsilon is not None else float("inf")
    return Account(ledger, Budget(limit, privacy.delta), privacy.reproducible_noise)


def _observer(
    federation: Federation, company: Company | None
) -> Callable[[HeadState], dict[str, float] | None]:
    settings, world = federation.settings, federation.world
    examination = world.examination(Part.VALIDATION, seed=settings.seed)

    def observe(state: HeadState) -> dict[str, float] | None:
        last = state.round >= settings.federation.rounds
        if not last and (settings.evaluate_every == 0 or state.round % settings.evaluate_every):
            return None
        serving = federation.serving(state.head, company)
        return watched(examination, scorer(serving, world, adapters=None))

    return observe


def _restored(run: RunDirectory, federation: Federation, journal: RunJournal) -> HeadState:
    state = journal.restore()
    if state is None:
        return federation.initial_state()
    federation.stores.restore(run.personal, state.round)
    return state


def _finish(run: RunDirectory, federation: Federation, state: HeadState, company: Company | None) -> None:
    settings, world = federation.settings, federation.world
    adapters = federation.stores.adapters
    serving = federation.serving(state.head, company)
    accuracy, people = evaluate_run(serving, world, adapters, seed=settings.seed)
    write_atomically(
        run.personal / "adapters.safetensors", save({"adapters": np.ascontiguousarray(adapters)})
    )
    write_atomically(run.shared_path, save(federation.layout.unflatten(state.head)))
    world.items.basis.save(run.basis_path)
    write_items(run, world.dataset.catalogue)
    write_json(run.evaluation_path, accuracy)
    write_atomically(run.people_path, _parquet(people))
    _release(run, federation, people, round_=settings.federation.rounds + 1)
    run.write_settings(
        {
            **run.read_settings(),
            "cost": cost([*counting_rows(run), *run.read_metrics()]),
            "finished_at": now(),
        }
    )


def _release(run: RunDirectory, federation: Federation, people: pl.DataFrame, *, round_: int) -> None:
    privacy = federation.settings.privacy
    event = metrics_release(privacy)
    if event is None or privacy.epsilon is None:
        return
    with _lifetime(run, federation) as lifetime:
        if lifetime is not None and not _afforded(lifetime, event, round_):
            return
    with open_run_ledger(run.ledger_path, run.read_settings()) as ledger:
        release_metrics(
            run,
            ledger,
            people,
            event=event,
            budget=Budget(privacy.epsilon, privacy.delta),
            reproducible=privacy.reproducible_noise,
            round_=round_,
            noise=lambda: federation.noise("metrics", round_),
        )


def _afforded(lifetime: Account, event: PrivacyEvent, round_: int) -> bool:
    """Charge the release of figures to the account of several runs; False, and nothing charged, where it is spent."""
    try:
        lifetime.ledger.resume(
            round_,
            event,
            budget=lifetime.budget,
            reproducible=lifetime.reproducible,
            noise_at=NoiseAt.SERVER,
            purpose=PURPOSE,
        )
    except BudgetExceeded:
        return False
    return True


def _parquet(people: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    people.write_parquet(buffer)
    return buffer.getvalue()
