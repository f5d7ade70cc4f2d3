"""Real deployments for tests: a SuperLink, SuperNodes and clients as processes of their own, on loopback.

Processes are forked from a server that has imported everything once, so that ten of them cost what one does.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from flwr.app import Message

from penchant.client import app as client
from penchant.client.conditions import Conditions
from penchant.client.device import StoredDevice
from penchant.client.device_store import DeviceStore
from penchant.client.enrolment import Enrolment
from penchant.client.participation import Participant, plan_of
from penchant.client.running import Stay, Taker
from penchant.client.sealing import Passphrase
from penchant.datasets import Dataset
from penchant.encoders import ItemVectors, Whitening
from penchant.errors import PenchantError
from penchant.rng import stream
from penchant.server.counting import counting_rows
from penchant.server.deployment import Deployment
from penchant.server.founding import establish
from penchant.server.operator import reachable, read_public_key
from penchant.server.service import serve
from penchant.server.settings import validated
from penchant.strategies.counting import CountingTerms, What
from penchant.strategies.wire import TrainRequest
from penchant.types import F32, Event, Kind

SECRET: Final = "correct horse battery"
_LONG: Final = 240.0
_PROCESSES: Final = multiprocessing.get_context("forkserver")
if (root := str(Path(__file__).parents[2])) not in sys.path:
    sys.path.insert(0, root)  # the forked processes import this module by its name
_PROCESSES.set_forkserver_preload(["tests.server.deployed"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], bool], what: str, seconds: float = _LONG) -> None:
    """Wait, but not for ever."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds:g} s in vain until {what}"
        time.sleep(0.1)


@dataclass
class Deployed:
    """One deployment and its devices, in a folder of its own. Ends every process that it started, by its number."""

    folder: Path
    data: Dataset
    settings: dict[str, Any]
    processes: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        listens = {"port": free_port(), "health_port": free_port(), "metrics_port": free_port()}
        waits = {"population": 2, "min_clients": 2, "join_seconds": 240.0}
        server = {**listens, **waits, **self.settings.pop("server", {})}
        record = {
            "model": {"width": 4, "adapter_rank": 2},
            "privacy": {"noise_multiplier": 2.0, "epsilon": 100.0},
            **self.settings,
            "federation": {
                "rounds": 2,
                "round_deadline_seconds": 60.0,
                **self.settings.get("federation", {}),
            },
            "server": server,
        }
        settings = validated(record, source="test")
        vectors = stream(0, "vectors").standard_normal((len(self.data.catalogue), 6)).astype(np.float32)
        basis = Whitening(np.zeros(6, np.float32), np.eye(6, dtype=np.float32))
        items = ItemVectors(vectors, basis, "made up")
        self.deployment = establish(
            self.folder / "server", settings, self.data.catalogue, items, passphrase=SECRET
        )

    def device(self, user: str, *, consent: bool = True, enrolled: bool = True) -> Path:
        """A device with one person's events, all in its store, with the server's invitation."""
        home = self.folder / user
        behaviours, catalogue = self.data.behaviours, self.data.catalogue
        own = behaviours.of(behaviours.user_ids.index(user))
        with DeviceStore.create(home, Passphrase(SECRET)) as store:
            store.add(
                Event(catalogue.item_ids[item], Kind.RATING, int(at), None)
                for item, at in zip(own.items, own.at, strict=True)
            )
            store.set_consent(consent)
        Enrolment(home).join(self.deployment.invitation())
        if enrolled:
            self.enroll(home)
        return home

    def enroll(self, *homes: Path) -> None:
        with reachable(self.deployment) as owner:
            for home in homes:
                owner.enroll(read_public_key(Enrolment(home).public_key_path.read_bytes()))

    def revoke(self, home: Path) -> None:
        with reachable(self.deployment) as owner:
            owner.revoke(read_public_key(Enrolment(home).public_key_path.read_bytes()))

    def start_server(self, *, stay: bool = False) -> Any:
        return self._started(_serve, self.deployment.root, stay)

    def start_client(self, home: Path, behave: Callable[..., None] | None = None) -> Any:
        """behave: called in the client's process, to make it misbehave."""
        return self._started(_take_part, home, behave)

    def _started(self, act: Callable[..., None], *arguments: Any) -> Any:
        process = _PROCESSES.Process(target=act, args=arguments)
        process.start()
        self.processes.append(process)
        return process

    def end(self) -> None:
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        for process in self.processes:
            process.join(30)
            if process.is_alive():
                process.kill()
                process.join(10)

    def rows(self) -> list[dict[str, Any]]:
        return self.deployment.run.read_metrics()

    def counts(self) -> list[dict[str, Any]]:
        return counting_rows(self.deployment.run)

    def phase(self) -> str:
        return str(self.deployment.told().get("phase"))


@contextmanager
def deployed(folder: Path, data: Dataset, **settings: Any) -> Iterator[Deployed]:
    one = Deployed(folder, data, settings)
    try:
        yield one
    finally:
        one.end()


def exit_code(process: Any, seconds: float = _LONG) -> int:
    """How a process ended. Fails where it did not."""
    process.join(seconds)
    assert not process.is_alive(), "the process did not end"
    return int(process.exitcode)


def killed(process: Any) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)


@contextmanager
def _exiting() -> Iterator[None]:
    """As a command of ours ends."""
    try:
        yield
    except PenchantError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from error


@_exiting()
def _serve(root: Path, stay: bool) -> None:
    serve(Deployment(root), passphrase=SECRET, stay=stay)


@_exiting()
def _take_part(home: Path, behave: Callable[..., None] | None) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    enrolment = Enrolment.existing(home)
    invitation = enrolment.invitation()
    plan = plan_of(invitation, epsilon_limit=None)
    with DeviceStore.open(home, Passphrase(SECRET)) as store:
        participant = Participant(plan, StoredDevice(store, invitation, plan), enrolment)
        if behave is not None:
            behave(participant, store)
        conditions = Conditions(on_power=False, unmetered=False, least_free_mb=0)
        taker = Taker(enrolment, StoredDevice(store, invitation, plan), participant, conditions)
        taker.stay(Stay(stop.is_set, until_final=True), final=lambda: participant.finished)


def head_of(home: Path) -> F32:
    """The head that a device received last."""
    enrolment = Enrolment(home)
    head = enrolment.head(plan_of(enrolment.invitation(), epsilon_limit=None).shared)
    assert head is not None
    return head.values


# What clients do to a round. Each is called in the client's own process, before it takes part.


def dies_in_training(participant: Participant, store: DeviceStore) -> None:
    """SIGKILL, after the account was charged and before anything is sent."""
    del store
    train = participant._train

    def act(request: TrainRequest) -> Any:
        train(request)
        os.kill(os.getpid(), signal.SIGKILL)

    participant._train = act  # type: ignore[method-assign]


def changes_its_mind(participant: Participant, store: DeviceStore) -> None:
    """The person withdraws, by another connection as from another process, while the head is being trained."""
    del participant
    train = vars(client)["head_update"]

    def act(*asked: Any, **settings: Any) -> Any:
        with DeviceStore.open(store.home, Passphrase(SECRET)) as other:
            other.set_consent(False)
        return train(*asked, **settings)

    vars(client)["head_update"] = act


def replays(participant: Participant, store: DeviceStore) -> None:
    """Sends what it sent in the first round again in every later one."""
    del store
    train = participant._train
    sent: list[Any] = []

    def act(request: TrainRequest) -> Any:
        sent.append(train(request))
        return sent[0]

    participant._train = act  # type: ignore[method-assign]


def sends_the_same_count_twice(participant: Participant, store: DeviceStore) -> None:
    """Sends the count of items again where pairs are asked for."""
    del store
    count = participant._count
    sent: list[Any] = []

    def act(*asked: Any) -> Any:
        sent.append(count(*asked))
        return sent[0]

    participant._count = act  # type: ignore[method-assign, assignment]


def counts_pairs_slowly(participant: Participant, store: DeviceStore) -> None:
    """So that a server can be ended while it counts pairs."""
    del store
    count = participant._count

    def act(terms: CountingTerms, what: What, message: Message) -> Any:
        if what is What.PAIRS:
            time.sleep(SLOW_SECONDS)
        return count(terms, what, message)

    participant._count = act  # type: ignore[method-assign]


def is_late(participant: Participant, store: DeviceStore) -> None:
    """In the first round, longer than the round waits."""
    del store
    train = participant._train

    def act(request: TrainRequest) -> Any:
        if request.round == 1:
            time.sleep(LATE_SECONDS)
        return train(request)

    participant._train = act  # type: ignore[method-assign]


LATE_SECONDS: Final = 18.0
SLOW_SECONDS: Final = 4.0
