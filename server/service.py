"""Serve a deployment: bring up the SuperLink, run the rounds that are left, hand out the head, take all down."""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, Final

import httpx
from flwr.app import Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp
from safetensors.numpy import save

from penchant.errors import BadInput, BudgetExceeded, EnvironmentMissing, PenchantError
from penchant.interest import InterestModel, TensorLayout
from penchant.interest.company import Company
from penchant.interest.lift import read_counts
from penchant.privacy.custody import open_run_ledger
from penchant.privacy.ledger import Budget
from penchant.privacy.noise import CryptographicNoise
from penchant.rundir import write_atomically
from penchant.server.app import server_app
from penchant.server.authority import days_left
from penchant.server.clients import ConnectedClients
from penchant.server.counting import CountJournal, counting_rows
from penchant.server.deployment import Deployment
from penchant.server.grid import fleet
from penchant.server.journal import Account, Hooks, RunJournal
from penchant.server.operator import operator
from penchant.server.settings import DeploymentSettings
from penchant.server.superlink import superlink
from penchant.server.telemetry import Telemetry, watched
from penchant.strategies import HeadState, InterestStrategy, RoundAborted
from penchant.strategies.counting import CountingStrategy, What, concluded, counted, told_of
from penchant.strategies.hand_out import company_content
from penchant.strategies.invitation import Invitation
from penchant.strategies.record import code, cost, model_record, now, privacy_record, versions
from penchant.strategies.wire import TrainRequest, request_content
from penchant.types import F32, Unit

STOPPED: Final = "stopped"
_BRIEF_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0


class Interrupted(PenchantError):
    """The server was told to stop."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of progress: what is going on now, each round's row."""

    phase: Callable[[str], None] = lambda text: None
    round: Callable[[dict[str, Any]], None] = lambda row: None


def serve(
    deployment: Deployment, *, passphrase: str | None, stay: bool = False, watch: Watch | None = None
) -> HeadState:
    """Run the counts and rounds that are left, hand out what was learned to who is on line. Leaves no process behind.

    passphrase: opens the ledger's key; None where nothing is protected.
    stay: hand it out to whoever comes later too, until told to stop.
    Raises: BudgetExceeded or RoundAborted (what was released before is kept and handed out), BadInput,
    EnvironmentMissing, Interrupted.
    """
    watch = watch or Watch()
    settings, invitation = deployment.settings(), deployment.invitation()
    _check_terms(settings, invitation)
    logging.getLogger("flwr").setLevel(logging.WARNING)
    with ExitStack() as stack:
        stack.enter_context(_told_to_stop())
        enrolling = (
            deployment.told().get("phase", STOPPED) == STOPPED
        )  # if somebody holds it, then only briefly
        stack.enter_context(deployment.served(patience=_BRIEF_SECONDS if enrolling else 0.0))
        telemetry = stack.enter_context(watched(settings.server, deployment.root / "server.log"))
        stack.callback(deployment.tell, phase=STOPPED)
        service = _Service(deployment, settings, invitation, telemetry, watch)
        service.phase("starting")
        stack.enter_context(superlink(deployment))
        owner = stack.enter_context(operator(deployment))
        account = stack.enter_context(service.account(passphrase))
        grid, context = stack.enter_context(fleet(deployment, owner.start_run()))
        try:
            return service.run(grid, context, account, stay=stay)
        except httpx.HTTPError as error:
            raise EnvironmentMissing(
                f"the SuperLink does not answer any more ({type(error).__name__}); see {deployment.log_path}. "
                "`penchant server up` goes on from the last round that was released"
            ) from error


class _Service:
    def __init__(
        self,
        deployment: Deployment,
        settings: DeploymentSettings,
        invitation: Invitation,
        telemetry: Telemetry,
        watch: Watch,
    ) -> None:
        self._deployment, self._settings = deployment, settings
        self._invitation, self._telemetry, self._watch = invitation, telemetry, watch
        self._model = InterestModel(invitation.vectors, settings.model, seed=settings.seed)
        self._layout = TensorLayout.shared(self._model)
        certificate = (deployment.tls / "server.pem").read_bytes()
        telemetry.set(rounds=settings.federation.rounds, certificate_days=days_left(certificate))

    def phase(self, text: str) -> None:
        self._deployment.tell(phase=text)
        self._telemetry.log.info(text)
        self._watch.phase(text)

    @contextmanager
    def account(self, passphrase: str | None) -> Iterator[Account | None]:
        """What may be spent, its ledger open and held; None where nothing is protected."""
        run, privacy = self._deployment.run, self._settings.privacy
        if not run.settings_path.is_file():
            run.write_settings(self._record())
        if privacy.unit is Unit.NONE:
            yield None
            return
        if passphrase is None:
            raise BadInput("the ledger's key needs its passphrase: set PENCHANT_PASSPHRASE")
        custody = self._deployment.custody(passphrase)
        with open_run_ledger(run.ledger_path, run.read_settings(), environment=custody) as ledger:
            assert privacy.epsilon is not None  # the settings ask for it
            yield Account(ledger, Budget(privacy.epsilon, privacy.delta), reproducible=False)

    def run(self, grid: Grid, context: Context, account: Account | None, *, stay: bool) -> HeadState:
        """Count what is not counted yet, train the rounds that are left, hand out what was learned."""
        journal = RunJournal(
            self._deployment.run, self._invitation.terms.guarantee, account, Hooks(done=self._released)
        )
        strategy = self._strategy(grid, journal)
        self._telemetry.serving(well=True)
        company: Company | None = None
        stopped: PenchantError | None = None
        try:
            company = self._company(grid, context, account)
            self.phase("training")
            self._app(strategy, rounds=self._settings.federation.rounds)(grid, context)
        except (BudgetExceeded, RoundAborted) as error:
            stopped = error
            self._telemetry.log.warning("stopped", reason=str(error))
        self._finish(strategy.state, complete=stopped is None)
        self.phase("handing out the head")
        have = self._hand_out(grid, strategy.state, company, set(grid.get_node_ids()))
        if stopped is not None:
            raise stopped
        while stay:  # until a signal ends it
            time.sleep(_LOOK_SECONDS)
            have |= self._hand_out(grid, strategy.state, company, set(grid.get_node_ids()) - have)
        return strategy.state

    def _company(self, grid: Grid, context: Context, account: Account | None) -> Company | None:
        """What the counts of this run let conclude, counted now where they were not; None where nothing is counted."""
        terms, run, settings = self._invitation.terms.counting, self._deployment.run, self._settings
        if terms is None:
            return None
        released: dict[What, F32] = {}
        for what in terms.guarantees:
            journal = CountJournal(run, what, account, done=self._counted)
            mean = journal.restore()
            if mean is None:
                self.phase(f"counting {what}")
                strategy = CountingStrategy(
                    terms,
                    what,
                    told_of(released),
                    roster=self._roster(grid),
                    population=settings.server.population,
                    federation=settings.federation,
                    noise=CryptographicNoise,
                    journal=journal,
                )
                self._app(strategy, rounds=1)(grid, context)
                mean = strategy.state.head
            released[what] = counted(mean, settings.server.population)
        company = concluded(
            terms, released, partial(read_counts, vectors=self._invitation.vectors, settings=terms.settings)
        )
        write_atomically(run.company_path, save(dict(company.tensors())))
        return company

    def _app(self, strategy: InterestStrategy, *, rounds: int) -> ServerApp:
        deadline = self._settings.federation.round_deadline_seconds
        return server_app(lambda _: strategy, rounds=rounds, deadline_seconds=deadline)

    def _roster(self, grid: Grid) -> ConnectedClients:
        return ConnectedClients(
            grid, self._settings.server, seen=lambda n: self._telemetry.set(clients_online=n)
        )

    def _strategy(self, grid: Grid, journal: RunJournal) -> InterestStrategy:
        settings = self._settings
        return InterestStrategy(
            state=journal.restore() or HeadState.initial(self._layout.read(self._model)),
            layout=self._layout,
            roster=self._roster(grid),
            population=settings.server.population,
            federation=settings.federation,
            optimizer=settings.optimizer,
            guarantee=self._invitation.terms.guarantee,
            noise=lambda round_: CryptographicNoise(),
            secret_sampling=settings.privacy.unit is not Unit.NONE,
            journal=journal,
            seed=settings.seed,
        )

    def _released(self, row: dict[str, Any]) -> None:
        self._telemetry.round(row)
        self._deployment.tell(phase="training", round=row["round"], epsilon=row["epsilon"])
        self._watch.round(row)

    def _counted(self, row: dict[str, Any]) -> None:
        self._telemetry.counted(row)
        self._watch.phase(f"counted {row['what']} of {row['clients']} clients")

    def _hand_out(self, grid: Grid, state: HeadState, company: Company | None, nodes: set[int]) -> set[int]:
        """Give what was learned to these nodes. The head comes last, and says that nothing else will.

        Returns those who took all of it.
        """
        if company is not None:
            nodes = self._give(grid, company_content(company), "company", nodes)
        head = request_content(self._layout, TrainRequest(state.round, state.head))
        return self._give(grid, head, "head", nodes)

    def _give(self, grid: Grid, content: RecordDict, what: str, nodes: set[int]) -> set[int]:
        if not nodes:
            return nodes
        kind = MessageType.QUERY if what == "head" else f"{MessageType.QUERY}.{what}"
        messages = [Message(content, dst_node_id=node, message_type=kind) for node in nodes]
        replies = grid.send_and_receive(messages, timeout=self._settings.federation.round_deadline_seconds)
        taken = {reply.metadata.src_node_id for reply in replies if not reply.has_error()}
        self._telemetry.log.info(f"{what} handed out", clients=len(taken))
        return taken

    def _finish(self, state: HeadState, *, complete: bool) -> None:
        run = self._deployment.run
        write_atomically(run.shared_path, save(self._layout.unflatten(state.head)))
        rows = [*counting_rows(run), *run.read_metrics()]
        ended = {"cost": cost(rows), "finished_at": now()} if complete else {}
        run.write_settings({**run.read_settings(), **ended})

    def _record(self) -> dict[str, Any]:
        settings, terms, catalogue = self._settings, self._invitation.terms, self._invitation.catalogue
        return {
            "settings": settings.model_dump(mode="json"),
            "seed": settings.seed,
            "versions": versions(),
            "dataset": {
                "name": terms.name,
                "digest": self._invitation.digest,
                "source": "deployment: every person's events stay on their own device",
                "n_users": terms.population,
                "n_items": len(catalogue),
                "n_events": None,
            },
            "catalogue_digest": catalogue.digest,
            "encoder": settings.encoder.model_dump(mode="json"),
            "code": code(),
            "privacy": privacy_record(
                terms.guarantee,
                settings.privacy,
                settings.federation,
                people=terms.population,
                company=settings.company,
            ),
            "model": model_record(self._model),
            "cost": None,
            "started_at": now(),
            "finished_at": None,
        }


def _check_terms(settings: DeploymentSettings, invitation: Invitation) -> None:
    """What clients agreed to is what runs."""
    terms, privacy = invitation.terms, settings.privacy
    agreed: dict[str, tuple[object, object]] = {
        "seed": (terms.seed, settings.seed),
        "model": (terms.model, settings.model),
        "training": (terms.training, settings.training),
        "federation.rounds": (terms.rounds, settings.federation.rounds),
        "server.population": (terms.population, settings.server.population),
        "company": (
            terms.counting and terms.counting.settings,
            settings.company if settings.company.items else None,
        ),
        "privacy.unit": (terms.unit, privacy.unit),
        "privacy.noise_at": (terms.noise_at, privacy.noise_at),
        "privacy.clip_bound": (terms.clip_bound, privacy.clip_bound),
        "privacy.clip_quantile": (terms.following and terms.following.quantile, privacy.clip_quantile),
        "privacy.epsilon": (terms.epsilon_limit, privacy.epsilon),
        "privacy.delta": (terms.delta, privacy.delta),
    }
    changed = [name for name, (before, after) in agreed.items() if before != after]
    if changed:
        raise BadInput(
            f"server.toml: {', '.join(changed)} changed since clients were invited; put it back, or make another "
            "deployment and invite them anew"
        )


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """SIGINT and SIGTERM end the block in order; a second one changes nothing."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(f"stopped by {signal.Signals(number).name}; `penchant server up` goes on from here")

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
