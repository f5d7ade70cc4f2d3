"""Who gets in, and what: one SuperLink on loopback, and clients that speak Flower's own protocol to it."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.proto.control_pb2 import RegisterNodeRequest, StartRunRequest
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from penchant.client.enrolment import Enrolment
from penchant.datasets import Dataset
from penchant.errors import BadInput
from penchant.server.authority import Authority
from penchant.server.grid import fleet
from penchant.server.operator import Operator, operator
from penchant.server.superlink import answers, local_address, superlink
from tests.server.deployed import SECRET, Deployed, deployed
from tests.server.knocking import Knocking

pytestmark = [
    pytest.mark.xdist_group("deployment"),
    # Flower's HTTP client leaves the socket of a refused request to the garbage collector.
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning"),  # of pathspec, by Flower
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny: Dataset) -> Iterator[tuple[Deployed, Operator]]:
    """A SuperLink with nobody enrolled."""
    with deployed(tmp_path_factory.mktemp("keys"), tiny) as one:
        with superlink(one.deployment), operator(one.deployment) as owner:
            yield one, owner
        assert not answers(one.deployment), "the SuperLink still runs"


OPEN: list[Knocking] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every connection, after each test."""
    yield
    while OPEN:
        OPEN.pop().client.close()
    gc.collect()  # here, where its warnings are expected


def knocking(one: Deployed, user: str) -> Knocking:
    home = one.folder / user
    if not home.exists():
        one.device(user, enrolled=False)
    return Knocking(home, local_address(one.deployment), (one.deployment.tls / "ca.pem").read_bytes())


def refused(error: pytest.ExceptionInfo[httpx.HTTPStatusError]) -> int:
    return int(error.value.response.status_code)


def test_an_unknown_key_is_refused(running: tuple[Deployed, Operator]) -> None:
    with pytest.raises(httpx.HTTPStatusError) as error:
        knocking(running[0], "ann").activate()
    assert refused(error) in (401, 412)


def test_an_enrolled_key_gets_in_once_and_a_revoked_one_never_again(
    running: tuple[Deployed, Operator],
) -> None:
    one, owner = running
    ben = knocking(one, "ben")
    node = owner.enroll(ben.public_key)
    assert ben.activate() == node
    assert list(ben.pull(node).messages_list) == []
    with pytest.raises(BadInput, match="in use"):
        owner.enroll(ben.public_key)
    assert owner.revoke(ben.public_key) == node
    for act in (lambda: ben.pull(node), ben.activate):
        with pytest.raises(httpx.HTTPStatusError) as error:
            act()
        assert refused(error) in (401, 412)
    with pytest.raises(BadInput):
        owner.enroll(ben.public_key)
    with pytest.raises(BadInput, match="no client"):
        owner.revoke(ben.public_key)


def test_one_client_cannot_speak_for_another(running: tuple[Deployed, Operator]) -> None:
    one, owner = running
    cas, dee = knocking(one, "cas"), knocking(one, "dee")
    owner.enroll(cas.public_key)
    other = owner.enroll(dee.public_key)
    with pytest.raises(httpx.HTTPStatusError) as error:
        cas.pull(other)
    assert refused(error) == 401


def test_another_authority_is_not_believed(running: tuple[Deployed, Operator]) -> None:
    one, _ = running
    knocking(one, "ann")
    stranger = Authority.new("somebody else").certificate_pem
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        Knocking(one.folder / "ann", local_address(one.deployment), stranger).activate()


def test_plaintext_is_refused(running: tuple[Deployed, Operator]) -> None:
    one, _ = running
    knocking(one, "ann")
    with pytest.raises(httpx.TransportError):
        Knocking(one.folder / "ann", local_address(one.deployment), b"", insecure=True).activate()


def test_a_reply_counts_once_and_a_late_one_never(running: tuple[Deployed, Operator]) -> None:
    """A round asks; the client answers, sends the same again, then another answer, and one more when it is over."""
    one, owner = running
    eli = knocking(one, "eli")
    node = owner.enroll(eli.public_key)
    assert eli.activate() == node

    def said(what: str) -> RecordDict:
        return RecordDict({"config": ConfigRecord({"said": what})})

    with (
        fleet(one.deployment, owner.start_run()) as (grid, _),
        ThreadPoolExecutor(1) as waiting,
    ):

        def ask(seconds: float) -> Future[list[Message]]:
            message = Message(said("train"), dst_node_id=node, message_type=MessageType.TRAIN)
            return waiting.submit(lambda: list(grid.send_and_receive([message], timeout=seconds)))

        def heard() -> Message:
            while (asked := eli.asked(node)) is None:
                time.sleep(0.1)
            return asked

        replies = ask(60.0)
        asked = heard()
        once = Message(said("once"), reply_to=asked)
        for reply in (once, once, Message(said("otherwise"), reply_to=asked)):
            eli.push(node, reply)
        assert [reply.content["config"]["said"] for reply in replies.result()] == ["once"]

        replies = ask(12.0)
        asked = heard()
        late = Message(said("late"), reply_to=asked)
        assert replies.result() == []
        with suppress(httpx.HTTPStatusError):
            eli.push(node, late)
        (told,) = grid.pull_messages([asked.metadata.message_id])
        assert told.has_error(), "a late reply can be read"


def test_clients_neither_enroll_themselves_nor_start_programs(running: tuple[Deployed, Operator]) -> None:
    one, _ = running
    ann = knocking(one, "ann")
    client = ControlHttpClient.from_server_address(
        local_address(one.deployment),
        False,
        (one.deployment.tls / "ca.pem").read_bytes(),
        [RuntimeVersionHttpInterceptor("test")],
    )
    for act in (
        lambda: client.RegisterNode(RegisterNodeRequest(public_key=ann.public_key)),
        lambda: client.StartRun(StartRunRequest()),
    ):
        with pytest.raises(httpx.HTTPStatusError) as error:
            act()
        assert refused(error) == 403
    client.close()


def test_the_rest_of_the_invitation_cannot_be_swapped(
    running: tuple[Deployed, Operator], tmp_path: Path
) -> None:
    invitation = running[0].deployment.invitation()
    Enrolment(tmp_path).join(invitation)
    (tmp_path / "invitation" / "ca.pem").write_bytes(Authority.new("somebody else").certificate_pem)
    with pytest.raises(BadInput, match="other terms"):
        Enrolment(tmp_path).join(invitation)


def test_a_server_whose_certificate_has_ended_does_not_start(tmp_path: Path, tiny: Dataset) -> None:
    with deployed(tmp_path, tiny) as one:
        tls = one.deployment.tls
        authority = Authority.read(
            (tls / "ca.pem").read_bytes(), (tls / "ca.key").read_bytes(), passphrase=SECRET
        )
        past = datetime.now(UTC) - timedelta(days=30)
        certificate, key = authority.issue(["localhost"], days=10, now=past)
        (tls / "server.pem").write_bytes(certificate)
        (tls / "server.key").write_bytes(key)
        with pytest.raises(BadInput, match="renew"), superlink(one.deployment):
            pass
