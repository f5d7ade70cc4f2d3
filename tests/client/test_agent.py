"""A real agent process: apps over gRPC, the person in a real browser, and nobody else."""

import html
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from penchant.client.agent_v1 import agent_pb2 as v1
from penchant.client.agent_v1.agent_pb2_grpc import AgentStub
from penchant.client.device_store import DeviceStore
from penchant.client.model_file import make
from penchant.client.person import Person
from penchant.client.sealing import KeyFile
from penchant.client.store import PersonalState
from penchant.errors import BadInput
from penchant.strategies.invitation import Invitation
from penchant.types import F32

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


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


@pytest.fixture
def agent(
    home: Path, key_file: KeyFile, receive: Callable[[int], F32], invitation: Invitation
) -> Iterator[Running]:
    receive(1)
    with DeviceStore.open(home, key_file) as store:
        store.note("sent", round=1, federation="films", numbers=99)
        initial = np.zeros(3, np.float32)
        store.personal(initial, belongs_to="x").save(PersonalState(initial, ((1.5, 1.0, 2),)))
    make(home)  # here PyTorch is loaded already
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


def test_an_app_records_asks_explains_and_erases(agent: Running, invitation: Invitation) -> None:
    sent = [event(invitation, "Alien"), event(invitation, "Aladdin", v1.KIND_LIKE)]
    assert list(agent.call("RecordEvents", iter(sent)).event_ids) == [1, 2]
    items = agent.call("Recommend", v1.RecommendRequest(k=2)).items
    assert items[0].title in ("Lion King, The", "Toy Story")
    assert items[0].why[0].text == "you liked Aladdin"
    asked = v1.ExplainRequest(item_id=event(invitation, "Blade Runner").item_id)
    assert any(one.text == "you viewed Alien" for one in agent.call("Explain", asked).why)

    privacy = agent.call("GetPrivacy", v1.GetPrivacyRequest())
    assert (privacy.consents, privacy.releases, privacy.unit, privacy.federation) == (
        False,
        2,
        "user",
        "films",
    )
    assert 0 < privacy.epsilon < privacy.epsilon_limit == 8
    assert [one.what for one in privacy.journal] == ["sent"]
    changed = v1.SetPrivacyRequest(consents=True, kinds=v1.Kinds(kinds=[v1.KIND_LIKE]), age=9)
    privacy = agent.call("SetPrivacy", changed)
    assert (privacy.consents, list(privacy.kinds), privacy.age) == (True, [v1.KIND_LIKE], 9)
    assert not agent.call("SetPrivacy", v1.SetPrivacyRequest(age=0)).HasField("age")

    agent.call("Erase", v1.EraseRequest(event_id=1))
    refused(lambda: agent.call("Erase", v1.EraseRequest(event_id=1)), "INVALID_ARGUMENT")
    refused(lambda: agent.call("Erase", v1.EraseRequest()), "INVALID_ARGUMENT")
    told = agent.call("Erase", v1.EraseRequest(everything=True)).cannot_be_undone
    assert told[0].startswith("2 updates left this device")
    assert {file.name for file in agent.home.iterdir()} == {"account.json"}
    refused(lambda: agent.call("Recommend", v1.RecommendRequest()), "INVALID_ARGUMENT")
    (agent.home / "agent.json").write_text("{}")  # for the fixture


def refused(call: Callable[[], Any], status: str) -> None:
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert error.value.code().name == status


def test_nobody_gets_in_without_the_token_and_bad_requests_are_told(
    agent: Running, invitation: Invitation
) -> None:
    stub = AgentStub(agent.channel)
    for given in ((), (("authorization", "Bearer wrong"),)):
        asked = partial(stub.Recommend, v1.RecommendRequest(), metadata=given, timeout=60)
        refused(asked, "UNAUTHENTICATED")
    assert agent.home.joinpath("agent.json").stat().st_mode & 0o777 == 0o600
    beyond: Any = 77
    for bad in (
        v1.Event(item_id="", kind=v1.KIND_VIEW),
        v1.Event(item_id="x"),
        v1.Event(item_id="x", kind=beyond),
    ):
        asked = partial(agent.call, "RecordEvents", iter([event(invitation, "Alien"), bad]))
        refused(asked, "INVALID_ARGUMENT")
    refused(lambda: agent.call("Recommend", v1.RecommendRequest(k=1001)), "INVALID_ARGUMENT")
    refused(lambda: agent.call("SetPrivacy", v1.SetPrivacyRequest(age=-1)), "INVALID_ARGUMENT")
    listed = ProtoReflectionDescriptorDatabase(_with_token(agent)).get_services()
    assert "penchant.agent.v1.Agent" in listed

    with httpx.Client(base_url=agent.origin, timeout=60) as stranger:
        for path in ("/", "/?token=wrong", "/export.json"):
            assert stranger.get(path).status_code == 403
    with agent.browser() as person:
        assert person.get("/", headers={"Host": "evil.example"}).status_code == 421
        assert person.get("/", headers={"Origin": "http://evil.example"}).status_code == 403
        assert person.post("/do", data={"act": "join", "form_token": "guess"}).status_code == 403
        assert person.post("/do", data={"act": "join"}).status_code == 403
        assert "script" not in person.get("/").headers["content-security-policy"]


def _with_token(agent: Running) -> Any:
    class Token(grpc.StreamStreamClientInterceptor):  # type: ignore[misc]
        def intercept_stream_stream(self, go: Any, details: Any, requests: Any) -> Any:
            return go(details._replace(metadata=agent.metadata), requests)

    return grpc.intercept_channel(agent.channel, Token())


def test_the_page_does_what_it_offers(agent: Running, invitation: Invitation) -> None:
    agent.call(
        "RecordEvents", iter([event(invitation, "Alien"), event(invitation, "Casablanca", v1.KIND_PURCHASE)])
    )
    with agent.browser() as person:
        shown = person.get("/").text
        token = re.findall(r'name="form_token" value="(\w+)"', shown)[0]
        assert "because you bought casablanca" in html.unescape(re.sub(r"\s+", " ", shown)).lower()
        assert "You do not take part" in shown

        def do(**form: Any) -> str:
            return html.unescape(person.post("/do", data={"form_token": token, **form}).text)

        assert "You take part in training now." in do(act="join")
        assert agent.call("GetPrivacy", v1.GetPrivacyRequest()).consents
        assert "You no longer take part" in do(act="leave")
        chosen = do(act="choose", kind=["view"], block=["Horror"], age="12", days="")
        assert "Your choices are saved" in chosen
        assert "Psycho" not in chosen
        assert "Nothing was changed" in do(act="choose", kind=["view"], age="-3", days="")
        assert "is forgotten" in do(act="forget", event="1")
        exported = person.get("/export.json").json()
        assert [one["kind"] for one in exported["events"]] == ["purchase"]
        assert exported["releases"] == 2
        assert "tick the box" in do(act="erase")
        assert "2 updates left this device" in do(act="erase", sure="yes")
    assert {file.name for file in agent.home.iterdir()} == {"account.json"}
    (agent.home / "agent.json").write_text("{}")  # for the fixture


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_real_browser_shows_a_page_that_names_everything(agent: Running, invitation: Invitation) -> None:
    agent.call("RecordEvents", iter([event(invitation, "Alien"), event(invitation, "Casablanca")]))
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--user-data-dir={agent.home}-chromium",
    ]
    shown = subprocess.run(
        [str(CHROMIUM), *options, agent.page], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert "<h1>My recommendations</h1>" in shown
    assert "you viewed Alien" in shown
    assert "<script" not in shown
    assert not re.findall(r"(?:src|href)=\"(?!/|#|data:)", shown)
    ids = set(re.findall(r' id="([^"]+)"', shown))
    for reference in re.findall(r'(?:aria-labelledby|aria-describedby|for)="([^"]+)"', shown):
        assert reference in ids
    for target in re.findall(r'href="#([^"]+)"', shown):
        assert target in ids
    assert '<html lang="en">' in shown
    for field in re.findall(r"<input [^>]+>", shown):
        identity = re.search(r' id="([^"]+)"', field)
        named = 'type="hidden"' in field or (identity and f'for="{identity[1]}"' in shown)
        assert named or re.search(rf"<label>{re.escape(field)}", shown), field
    levels = [int(level) for level in re.findall(r"<h(\d)", shown)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_agent_stays_on_this_machine(home: Path, key_file: KeyFile) -> None:
    from penchant.client.agent import serve

    with DeviceStore.open(home, key_file) as store, pytest.raises(BadInput, match="nowhere else"):
        serve(Person(store), "0.0.0.0:0", token="t")
