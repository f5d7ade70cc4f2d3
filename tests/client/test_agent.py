"""A real agent process: apps over gRPC, the person over HTTP, and nobody else."""

import html
import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from penchant.client.agent_v1 import agent_pb2 as v1
from penchant.client.agent_v1.agent_pb2_grpc import AgentStub
from penchant.client.device_store import DeviceStore
from penchant.client.person import Person
from penchant.client.sealing import KeyFile
from penchant.errors import BadInput
from penchant.strategies.invitation import Invitation
from tests.client.running_agent import Running, event

DOCS = Path(__file__).parents[2] / "docs" / "device.md"


def test_an_app_records_asks_explains_and_erases(
    agent: Running, invitation: Invitation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [event(invitation, "Alien"), event(invitation, "Aladdin", v1.KIND_LIKE)]
    assert list(agent.call("RecordEvents", iter(sent)).event_ids) == [1, 2]
    items = agent.call("Recommend", v1.RecommendRequest(k=2)).items
    assert items[0].title in ("Lion King, The", "Toy Story")
    assert items[0].why[0].text == "you liked Aladdin"
    asked = v1.ExplainRequest(item_id=event(invitation, "Blade Runner").item_id)
    assert any(one.text == "you viewed Alien" for one in agent.call("Explain", asked).why)

    told = documented_client(agent, tmp_path, monkeypatch)
    assert re.match(r"1 \S.* because you (liked|viewed) ", told)
    assert len(told.splitlines()) == 5

    privacy = agent.call("GetPrivacy", v1.GetPrivacyRequest())
    assert (privacy.consents, privacy.releases, privacy.unit, privacy.federation) == (
        False,
        2,
        "user",
        "films",
    )
    assert 0 < privacy.epsilon < privacy.epsilon_limit == 8
    assert [one.what for one in privacy.journal] == ["sent"]
    limits = v1.AgeLimits(age_limits={"Crime": 16})
    changed = v1.SetPrivacyRequest(
        consents=True, kinds=v1.Kinds(kinds=[v1.KIND_LIKE]), age=9, age_limits=limits
    )
    privacy = agent.call("SetPrivacy", changed)
    assert (privacy.consents, list(privacy.kinds), privacy.age) == (True, [v1.KIND_LIKE], 9)
    assert dict(privacy.age_limits) == {"Crime": 16}
    shown = {one.title for one in agent.call("Recommend", v1.RecommendRequest(k=20)).items}
    assert shown.isdisjoint({"Fargo", "Pulp Fiction", "Godfather, The"})
    assert "Casablanca" in shown
    assert not agent.call("SetPrivacy", v1.SetPrivacyRequest(age=0)).HasField("age")

    agent.call("Erase", v1.EraseRequest(event_id=1))
    refused(lambda: agent.call("Erase", v1.EraseRequest(event_id=1)), "INVALID_ARGUMENT")
    refused(lambda: agent.call("Erase", v1.EraseRequest()), "INVALID_ARGUMENT")
    told = agent.call("Erase", v1.EraseRequest(everything=True)).cannot_be_undone
    assert told[0].startswith("2 updates or counts left this device")
    assert {file.name for file in agent.home.iterdir()} == {"account.json"}
    refused(lambda: agent.call("Recommend", v1.RecommendRequest()), "INVALID_ARGUMENT")
    (agent.home / "agent.json").write_text("{}")  # for the fixture


def documented_client(agent: Running, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the example client of the documentation prints. It looks for the device in the person's own folder."""
    (example,) = re.findall(
        r"^```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    monkeypatch.setenv("HOME", str(folder))
    (folder / "penchant").symlink_to(agent.home)
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(example, str(DOCS), "exec"), {})
    return said.getvalue()


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
        policy = person.get("/").headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        stale = person.post("/do", data={"act": "join"}, headers={"HX-Request": "true"})
        assert stale.headers["hx-refresh"] == "true"


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
        limited = do(act="choose", kind=["view"], age="12", days="", limits="Crime 16\r\nFilm-Noir: 16\r\n")
        assert "Crime 16\nFilm-Noir 16\n</textarea>" in limited
        assert "Fargo" not in limited
        assert "Blade Runner" not in limited
        assert "is no age limit" in do(act="choose", kind=["view"], limits="Crime")
        assert "Nothing was changed" in do(act="choose", kind=["view"], age="-3", days="")
        assert "is forgotten" in do(act="forget", event="1")
        exported = person.get("/export.json").json()
        assert [one["kind"] for one in exported["events"]] == ["purchase"]
        assert exported["releases"] == 2
        assert "tick the box" in do(act="erase")
        assert "2 updates or counts left this device" in do(act="erase", sure="yes")
    assert {file.name for file in agent.home.iterdir()} == {"account.json"}
    (agent.home / "agent.json").write_text("{}")  # for the fixture


def test_the_agent_stays_on_this_machine(home: Path, key_file: KeyFile) -> None:
    from penchant.client.agent import serve

    with DeviceStore.open(home, key_file) as store, pytest.raises(BadInput, match="nowhere else"):
        serve(Person(store), "0.0.0.0:0", token="t")
