"""The child process that is the SuperLink. Imports Flower and the gate, nothing of the model: it starts fast."""

import json
import logging
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import uvicorn
from flwr.superlink.auth_plugin import NoOpControlAuthnPlugin
from flwr.superlink.cli.flower_superlink import SuperLinkLifespan
from flwr.superlink.config_loader import SuperLinkLifespanConfig
from flwr.superlink.main import create_app

from penchant.server.gate import Gate

_KEY: Final = re.compile(r"b?'?-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----(\\n)?'?", re.DOTALL)


def main(told: dict[str, Any]) -> None:
    """Serve until told to stop, or until the parent is gone."""
    logger = logging.getLogger("flwr")
    logger.setLevel(logging.WARNING)
    logger.addFilter(_without_keys)
    threading.Thread(target=_end_with, args=(told["parent"],), daemon=True).start()
    token = Path(told["operator_token"]).read_text(encoding="ascii")
    uvicorn.run(
        Gate(create_app(_configuration(told), SuperLinkLifespan), token=token, max_bytes=told["max_bytes"]),
        host=told["host"],
        port=told["port"],
        access_log=False,  # addresses of people's devices are nobody's business
        log_level="warning",
        ssl_certfile=told["certificate"],
        ssl_keyfile=told["key"],
        timeout_graceful_shutdown=3,
    )


def _configuration(told: dict[str, Any]) -> SuperLinkLifespanConfig:
    """Node authentication on; "process": this SuperLink runs no application."""
    files = ("authority", "certificate", "key")
    authority, certificate, key = (Path(told[name]).read_bytes() for name in files)
    return SuperLinkLifespanConfig(
        control_address="",
        health_server_address=None,
        host=told["host"],
        port=told["port"],
        insecure=False,
        certificates=(authority, certificate, key),
        superexec_auth_secret=Path(told["runtime_secret"]).read_bytes(),
        authn_plugin=NoOpControlAuthnPlugin(),
        event_log_plugin=None,
        fleet_event_log_plugin=None,
        enable_event_log=False,
        artifact_provider=None,
        enable_supernode_auth=True,
        fleet_api_type="grpc-rere",
        fleet_api_address=None,
        simulation=False,
        ssl_ca_certfile=told["authority"],
        ssl_certfile=told["certificate"],
        ssl_keyfile=told["key"],
        database=told["database"],
        isolation="process",
        runtime_dependency_install=False,
    )


def _without_keys(record: logging.LogRecord) -> bool:
    """A key stands for a person's device: Flower's lines keep what went wrong, and lose whose."""
    record.msg, record.args = _KEY.sub("[a key]", record.getMessage()), ()
    return True


def _end_with(parent: int) -> None:
    """A parent that was killed has no say any more; its child is then another's."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
