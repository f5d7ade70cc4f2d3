"""Flower's SuperNode under our supervision: started when the device may take part, ended when not, tried again later.

It only carries messages (Flower's isolation "process"): what a round asks for is computed in the process that started
it, from the installed package. No code that a server sends is ever run.
"""

import os
import random
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from penchant.client.enrolment import Enrolment

_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 300.0
_HEALTHY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_REACH_SECONDS: Final = 30
_QUIET: Final = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "FLWR_LOG_LEVEL": "WARNING"}


class Backoff:
    """Seconds between attempts: doubling up to five minutes, spread so that devices do not come back all at once."""

    def __init__(self, *, source: random.Random | None = None) -> None:
        self._failures = 0
        self._source = source or random.SystemRandom()

    def failed(self) -> float:
        """One more failure. Returns how long to wait."""
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**self._failures)
        self._failures = min(self._failures + 1, 32)
        return wait * self._source.uniform(0.5, 1.0)

    def succeeded(self) -> None:
        self._failures = 0


class SuperNode:
    """At most one child process. `tend` it often; it never blocks for longer than ending a child takes."""

    def __init__(self, enrolment: Enrolment, address: str) -> None:
        """address: of the server, as the invitation says."""
        self._enrolment, self._address = enrolment, address
        self._child: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff()
        self._started = 0.0
        self._not_before = 0.0
        self.port = 0
        self.secret = b""

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def waits(self) -> float:
        """Seconds until the next attempt; 0 when it runs or may be tried."""
        return 0.0 if self.running else max(0.0, self._not_before - time.monotonic())

    def tend(self) -> bool:
        """Start the child if it does not run and its time has come. Returns whether it runs."""
        if self._child is not None and self._child.poll() is not None:
            self._ended()
        if self._child is None and time.monotonic() >= self._not_before:
            self._start()
        return self.running

    def stop(self) -> None:
        """End the child, if there is one. It may be started again at once."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(_STOP_SECONDS)

    def _ended(self) -> None:
        """The server was not reached, refused the key, or shut the device out."""
        self._child = None
        if time.monotonic() - self._started > _HEALTHY_SECONDS:
            self._backoff.succeeded()
        self._not_before = time.monotonic() + self._backoff.failed()

    def _start(self) -> None:
        self.port, self.secret = _free_port(), secrets.token_bytes(32)
        secret_path = self._enrolment.home / "runtime.secret"
        _write_secret(secret_path, self.secret)
        arguments = [
            *("--superlink", self._address),
            *("--root-certificates", str(self._enrolment.authority_path)),
            *("--auth-supernode-private-key", str(self._enrolment.key_path)),
            *("--isolation", "process", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--superexec-auth-secret-file", str(secret_path)),
            *("--max-wait-time", str(_REACH_SECONDS)),
        ]
        with (self._enrolment.home / "supernode.log").open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "penchant.client.supernode_process", str(os.getpid()), *arguments],
                env={**os.environ, **_QUIET, "FLWR_HOME": str(self._enrolment.home / "flower")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C reaches us, and we end it in order
            )
        self._started = time.monotonic()


def _write_secret(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
