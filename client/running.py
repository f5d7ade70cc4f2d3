"""Take part until told to stop: conditions and consent decide whether the SuperNode runs, the worker answers it."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import httpx

from penchant.client.conditions import Conditions, Machine, unmet
from penchant.client.enrolment import Enrolment
from penchant.client.participation import Device, Participant
from penchant.client.probe import CONNECTION
from penchant.client.store import Erased
from penchant.client.supernode import SuperNode
from penchant.client.worker import Lost, Worker
from penchant.rundir import write_json

_LOOK_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 0.5
_SEND_SECONDS: Final = 4.0
"""What the SuperNode needs to pass on the last reply: it looks for one every half second."""


@dataclass(frozen=True, slots=True)
class Stay:
    """How long to stay. until_final: leave once the final head was taken.  told_to_stop: asked again and again."""

    told_to_stop: Callable[[], bool]
    until_final: bool = False


class Taker:
    """One device that takes part. `state`: what `penchant client status` tells."""

    def __init__(
        self,
        enrolment: Enrolment,
        device: Device,
        participant: Participant,
        conditions: Conditions,
        *,
        machine: Callable[[], Machine] = Machine.now,
    ) -> None:
        self._enrolment, self._device, self._conditions = enrolment, device, conditions
        self._app = participant.app()
        self._machine = machine
        self._node = SuperNode(enrolment, enrolment.invitation().terms.address)
        self._worker: Worker | None = None
        self._looked = -_LOOK_SECONDS
        self._doubts: list[str] = []
        self._told: dict[str, Any] = {}
        self._told_at = 0.0

    def stay(self, stay: Stay, *, final: Callable[[], bool]) -> None:
        """final: whether the final head is here. Ends every process that it started. Raises: Erased."""
        try:
            while not stay.told_to_stop() and not (stay.until_final and final()):
                self._step()
            if self._node.running and not stay.told_to_stop():
                time.sleep(_SEND_SECONDS)
        finally:
            self._leave()
            with suppress(Erased):
                self._tell("stopped")

    def _step(self) -> None:
        doubts = self._checked()
        if doubts:
            self._leave()
            self._tell("waits", doubts=doubts)
            time.sleep(_IDLE_SECONDS)
        elif not self._tended():
            self._drop_worker()
            self._tell("tries again", seconds=round(self._node.waits))
            time.sleep(_IDLE_SECONDS)
        else:
            self._tell("takes part")
            self._work()

    def _tended(self) -> bool:
        """A SuperNode writes to the device's folder: none is started once that has been erased."""
        with self._device.unerased():
            return self._node.tend()

    def _checked(self) -> list[str]:
        """Consent is asked for each time, the machine every few seconds."""
        if not self._device.consents():
            return ["no consent"]
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._doubts, self._looked = unmet(self._conditions, self._machine()), time.monotonic()
        return self._doubts

    def _work(self) -> None:
        if self._worker is None:
            self._worker = Worker(self._node.port, self._node.secret, self._app)
        try:
            self._worker.work()
        except (
            httpx.HTTPError,
            Lost,
        ):  # a SuperNode that lost track of a message waits for ever: start another
            self._leave()

    def _leave(self) -> None:
        self._drop_worker()
        self._node.stop()

    def _drop_worker(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _tell(self, phase: str, **facts: Any) -> None:
        told = {"phase": phase, **facts}
        if told != self._told or time.monotonic() - self._told_at > _LOOK_SECONDS:
            self._told, self._told_at = told, time.monotonic()
            with self._device.unerased():
                write_json(self._enrolment.home / CONNECTION, told)
