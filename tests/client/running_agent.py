"""A real agent process for tests, and ways to talk to it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx

from penchant.client.agent_v1 import agent_pb2 as v1
from penchant.client.agent_v1.agent_pb2_grpc import AgentStub
from penchant.strategies.invitation import Invitation


class Running:
    """What agent.json says, and ways to talk to the agent."""

    def __init__(self, home: Path, told: dict[str, Any]) -> None:
        self.home, self.token, self.page = home, told["token"], told["page"]
        self.origin = self.page.partition("/?")[0]
        self.channel = grpc.insecure_channel(told["address"])
        self.metadata = (("authorization", f"Bearer {self.token}"),)

    def call(self, method: str, request: Any) -> Any:
        return getattr(AgentStub(self.channel), method)(request, metadata=self.metadata, timeout=60)

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A client that has opened the page and has its cookie."""
        with httpx.Client(base_url=self.origin, follow_redirects=True, timeout=60) as client:
            assert client.get(self.page).status_code == 200
            yield client


@contextmanager
def agent_at(home: Path) -> Iterator[Running]:
    """`penchant client agent` for a device whose secret the environment gives; it must end in order."""
    command = "import sys; from penchant.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "client", "agent", str(home), "--quiet"], stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not (home / "agent.json").exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        running = Running(home, json.loads((home / "agent.json").read_text()))
        yield running
        running.channel.close()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not (home / "agent.json").exists()


def event(invitation: Invitation, title: str, kind: v1.Kind = v1.KIND_VIEW) -> v1.Event:
    return v1.Event(
        item_id=invitation.catalogue.item_ids[invitation.catalogue.titles.index(title)], kind=kind, at=9
    )
