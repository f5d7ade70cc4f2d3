"""Flower's SuperLink as a child process behind the gate: TLS, node authentication, a database that outlives it.

It runs no application itself (Flower's isolation "process"): the rounds run in the process that started it, from the
installed package. Nothing that is pushed over the network is ever executed.
"""

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from penchant.errors import EnvironmentMissing
from penchant.server.deployment import Deployment
from penchant.server.gate import TOKEN_HEADER

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
QUIET: Final = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "FLWR_LOG_LEVEL": "WARNING"}
"""Environment for everything of Flower: nothing is reported to anybody."""


def local_address(deployment: Deployment) -> str:
    """Where the owner's own commands reach the server: by a name in its certificate."""
    server = deployment.settings().server
    host = "localhost" if server.host in ("0.0.0.0", "::", "127.0.0.1", "::1") else server.host
    return f"{host}:{server.port}"


@contextmanager
def superlink(deployment: Deployment) -> Iterator["subprocess.Popen[bytes]"]:
    """A SuperLink that answers, and is gone afterwards, however the block ends."""
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
