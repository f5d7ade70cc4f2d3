"""Serve a deployment: bring up the SuperLink, run the rounds that are left, hand out the head, take all down."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import httpx
from flwr.app import Context, Message, MessageType
from flwr.serverapp import Grid
from safetensors.numpy import save

from penchant.errors import BadInput, BudgetExceeded, EnvironmentMissing, PenchantError
from penchant.interest import InterestModel, TensorLayout
from penchant.privacy.custody import open_run_ledger
from penchant.privacy.ledger import Budget
from penchant.privacy.noise import CryptographicNoise
from penchant.rundir import write_atomically
from penchant.server.app import server_app
from penchant.server.authority import days_left
from penchant.server.clients import ConnectedClients
from penchant.server.deployment import Deployment
from penchant.server.grid import fleet
from penchant.server.journal import Account, Hooks, RunJournal
from penchant.server.operator import operator
from penchant.server.settings import DeploymentSettings
from penchant.server.superlink import superlink
from penchant.server.telemetry import Telemetry, watched
from penchant.strategies import HeadState, InterestStrategy, RoundAborted
from penchant.strategies.invitation import Invitation
from penchant.strategies.record import code, cost, model_record, now, privacy_record, versions
from penchant.strategies.wire import TrainRequest, request_content
from penchant.types import Unit

STOPPED: Final = "stopped"
_BRIEF_SECONDS: Final = 60.0


class Interrupted(PenchantError):
    """The server was told to stop."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of progress: what is going on now, each round's row."""

    phase: Callable[[str], None] = lambda text: None
    round: Callable[[dict[str, Any]], None] = lambda row: None


def serve(deployment: Deployment, *, passphrase: str | None, watch: Watch | None = None) -> HeadState:
    """Run the rounds that are left and hand the head to every client on line. Leaves no process behind.

    passphrase: opens the ledger's key; None where nothing is protected.
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
        journal = stack.enter_context(service.journal(passphrase))
        grid, context = stack.enter_context(fleet(deployment, owner.start_run()))
        try:
            return service.run(grid, context, journal)
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
    def journal(self, passphrase: str | None) -> Iterator[RunJournal]:
        run, privacy = self._deployment.run, self._settings.privacy
        if not run.settings_path.is_file():
            run.write_settings(self._record())
        with ExitStack() as stack:
            account = None
            if privacy.unit is not Unit.NONE:
                if passphrase is None:
                    raise BadInput("the ledger's key needs its passphrase: set PENCHANT_PASSPHRASE")
                custody = self._deployment.custody(passphrase)
                ledger = stack.enter_context(
                    open_run_ledger(run.ledger_path, run.read_settings(), environment=custody)
                )
                assert privacy.epsilon is not None  # the settings ask for it
                account = Account(ledger, Budget(privacy.epsilon, privacy.delta), reproducible=False)
            yield RunJournal(run, self._invitation.terms.guarantee, account, Hooks(done=self._released))

    def run(self, grid: Grid, context: Context, journal: RunJournal) -> HeadState:
        strategy = self._strategy(grid, journal)
        federation = self._settings.federation
        app = server_app(
            lambda _: strategy, rounds=federation.rounds, deadline_seconds=federation.round_deadline_seconds
        )
        self._telemetry.serving(well=True)
        self.phase("training")
        stopped: PenchantError | None = None
        try:
            app(grid, context)
        except (BudgetExceeded, RoundAborted) as error:
            stopped = error
            self._telemetry.log.warning("stopped", reason=str(error))
        self._finish(strategy.state, complete=strategy.state.round >= federation.rounds)
        self.phase("handing out the head")
        self._hand_out(grid, strategy.state)
        if stopped is not None:
            raise stopped
        return strategy.state

    def _strategy(self, grid: Grid, journal: RunJournal) -> InterestStrategy:
        settings = self._settings
        return InterestStrategy(
            state=journal.restore() or HeadState.initial(self._layout.read(self._model)),
            layout=self._layout,
            roster=ConnectedClients(
                grid, settings.server, seen=lambda n: self._telemetry.set(clients_online=n)
            ),
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

    def _hand_out(self, grid: Grid, state: HeadState) -> int:
        """Give the last head to whoever is on line. Returns how many took it."""
        content = request_content(self._layout, TrainRequest(state.round, state.head))
        messages = [
            Message(content, dst_node_id=node, message_type=MessageType.QUERY) for node in grid.get_node_ids()
        ]
        replies = grid.send_and_receive(messages, timeout=self._settings.federation.round_deadline_seconds)
        taken = sum(not reply.has_error() for reply in replies)
        self._telemetry.log.info("head handed out", clients=taken)
        return taken

    def _finish(self, state: HeadState, *, complete: bool) -> None:
        run = self._deployment.run
        write_atomically(run.shared_path, save(self._layout.unflatten(state.head)))
        ended = {"cost": cost(run.read_metrics()), "finished_at": now()} if complete else {}
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
                terms.guarantee, settings.privacy, settings.federation, people=terms.population
            ),
            "model": model_record(self._model),
            "cost": None,
            "started_at": now(),
            "finished_at": None,
        }


def _check_terms(settings: DeploymentSettings, invitation: Invitation) -> None:
    """What clients agreed to is what runs."""
    terms, privacy = invitation.terms, settings.privacy
    agreed = {
        "seed": (terms.seed, settings.seed),
        "model": (terms.model, settings.model),
        "training": (terms.training, settings.training),
        "federation.rounds": (terms.rounds, settings.federation.rounds),
        "server.population": (terms.population, settings.server.population),
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
