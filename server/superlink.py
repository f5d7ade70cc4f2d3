"""Flower's SuperLink as a child process behind the gate: TLS, node authentication, a database that outlives it.

It runs no application itself (Flower's isolation "process"): the rounds run in the process that started it, from the
installed package. Nothing that is pushed over the network is ever executed.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from penchant.errors import BadInput, EnvironmentMissing
from penchant.server.authority import days_left
from penchant.server.deployment import Deployment
from penchant.server.gate import TOKEN_HEADER

_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 20.0
QUIET: Final = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "FLWR_LOG_LEVEL": "WARNING"}
"""Environment for everything of Flower: nothing is reported to anybody."""


def local_address(deployment: Deployment) -> str:
    """Where the owner's own commands reach the server: by a name in its certificate."""
    server = deployment.settings().server
    host = "localhost" if server.host in ("0.0.0.0", "::", "127.0.0.1", "::1") else server.host
    return f"{host}:{server.port}"


@contextmanager
def superlink(deployment: Deployment) -> Iterator["subprocess.Popen[bytes]"]:
    """A SuperLink that answers, and is gone afterwards, however the block ends.

    Raises: BadInput where its certificate has ended; EnvironmentMissing where it does not come up.
    """
    if days_left((deployment.tls / "server.pem").read_bytes()) <= 0:
        raise BadInput(
            f"{deployment.tls / 'server.pem'}: the certificate has ended, no client would accept it; "
            f"`penchant server renew {deployment.root}` issues another"
        )
    _wait_until_free(deployment)
    with deployment.log_path.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "penchant.server.superlink_process", json.dumps(_process(deployment))],
            env={**os.environ, **QUIET, "FLWR_HOME": str(deployment.root / "flower")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C reaches us, and we end it in order
        )
    try:
        _wait_until_it_answers(deployment, child)
        yield child
    finally:
        _end(child)


def _process(deployment: Deployment) -> dict[str, Any]:
    """What the child needs to know."""
    server, tls = deployment.settings().server, deployment.tls
    return {
        "host": server.host,
        "port": server.port,
        "max_bytes": server.max_message_bytes,
        "authority": str(tls / "ca.pem"),
        "certificate": str(tls / "server.pem"),
        "key": str(tls / "server.key"),
        "database": str(deployment.database),
        "operator_token": str(deployment.operator_token),
        "runtime_secret": str(deployment.runtime_secret),
        "parent": os.getpid(),
    }


def answers(deployment: Deployment) -> bool:
    """Whether this deployment's SuperLink, and no other, answers on its port."""
    context = ssl.create_default_context(cafile=str(deployment.tls / "ca.pem"))
    request = Request(
        f"https://{local_address(deployment)}/health", headers={TOKEN_HEADER: deployment.token()}
    )
    with suppress(OSError), urlopen(request, context=context, timeout=5) as reply:
        return bool(reply.status == 200)
    return False


def _wait_until_free(deployment: Deployment) -> None:
    """A killed server leaves a SuperLink that needs a moment to notice, and would answer in the new one's place.

    Raises: EnvironmentMissing where somebody else keeps the port.
    """
    server = deployment.settings().server
    until = time.monotonic() + _STOP_SECONDS
    while _taken(server.host, server.port):
        if time.monotonic() > until:
            raise EnvironmentMissing(
                f"{server.host}:{server.port} is taken by another program; set server.port"
            )
        time.sleep(0.2)


def _taken(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the SuperLink does: only listeners count
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _wait_until_it_answers(deployment: Deployment, child: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if child.poll() is not None:
            break
        if answers(deployment):
            return
        time.sleep(0.1)
    raise EnvironmentMissing(
        f"the SuperLink did not come up on {local_address(deployment)}: is the port free, and is the certificate "
        f"valid? The end of {deployment.log_path}:\n{_tail(deployment.log_path)}"
    )


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(_STOP_SECONDS)


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
