"""Flower's Grid over the SuperLink: replies come one at a time, as they arrive, none larger than is allowed."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, cast

import httpx
from flwr.app import Context, Error, Message, Metadata
from flwr.app.message import make_message
from flwr.common.serde import context_from_proto, run_from_proto
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree, PullObjectRequest
from flwr.proto.message_pb2 import Message as WireMessage
from flwr.proto.runtime_pb2 import (
    AcquireTaskRequest,
    PullAppMessagesRequest,
    PullTaskInputRequest,
    PushTaskOutputRequest,
)
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.protobuf.client import ProtobufClientInterceptor
from flwr.supercore.retry import make_simple_http_retry_invoker
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from penchant.errors import EnvironmentMissing
from penchant.server.deployment import Deployment
from penchant.server.operator import OperatorToken
from penchant.server.superlink import local_address

_POLL_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 60.0
_ACQUIRE_SECONDS: Final = 30.0
_MOST_OBJECTS: Final = 256
UNREADABLE: Final = 4003
"""Flower error code that stands in for a reply that is too large, or is no message."""

_Arrived = tuple[WireMessage, ObjectTree]


class FleetGrid(HttpGrid):
    """Waits for replies until the deadline, and no longer; what comes later is never read."""

    def __init__(self, deployment: Deployment, *, token: str, max_bytes: int) -> None:
        """token: of the run's task, from the SuperLink.  max_bytes: largest reply that is read."""
        authority = (deployment.tls / "ca.pem").read_bytes()
        super().__init__(local_address(deployment), False, authority, token=token)
        self._interceptors: list[ProtobufClientInterceptor] = [
            OperatorToken(deployment.token()),
            RuntimeVersionHttpInterceptor("penchant"),
            RuntimeTokenHttpInterceptor(token=token),
        ]
        self._max_bytes = max_bytes
        self._retry_invoker.max_time = _RETRY_SECONDS

    def _connect(self) -> None:
        self._client = RuntimeHttpClient.from_server_address(
            self._addr, False, self._cert, self._interceptors, retry_invoker=self._retry_invoker
        )

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Ask, then yield replies as they arrive. Ends when all are here, or at the deadline (which must be given)."""
        if timeout is None:
            raise ValueError("a round needs a deadline: nothing waits for ever")
        deadline = time.monotonic() + timeout
        waiting = {
            message_id for message_id in self.push_messages(self._timed(messages, timeout)) if message_id
        }
        arrived: dict[str, _Arrived] = {}
        while waiting and time.monotonic() < deadline:
            for wire, tree in self._newly_arrived(waiting - arrived.keys()):
                arrived[wire.metadata.reply_to_message_id] = (wire, tree)
            for asked, reply in list(arrived.items()):
                message = self._read(*reply)
                if message is not None:
                    waiting.discard(asked)
                    del arrived[asked]
                    yield message
            if waiting:
                time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))

    @staticmethod
    def _timed(messages: Iterable[Message], seconds: float) -> list[Message]:
        """The SuperLink, too, refuses what answers a round that is over."""
        timed = list(messages)
        for message in timed:
            message.metadata.ttl = seconds
        return timed

    def _newly_arrived(self, ids: Iterable[str]) -> list[_Arrived]:
        asked = list(ids)
        if not asked:
            return []
        found = self._runtime_client.PullMessages(PullAppMessagesRequest(message_ids=asked))
        return list(zip(found.messages_list, found.message_object_trees, strict=True))

    def _read(self, wire: WireMessage, tree: ObjectTree) -> Message | None:
        """The message; an error in its place where it is too large; None while parts of it are on their way."""
        ids = list(dict.fromkeys(part.object_id for part in iterate_object_tree(tree)))
        contents: dict[str, bytes] = {}
        total = 0
        for object_id in ids[: _MOST_OBJECTS + 1]:
            content = self._pull(object_id)
            if content is None:
                return None
            total += len(content)
            if total > self._max_bytes or len(ids) > _MOST_OBJECTS:
                return _error_for(wire, f"a reply of more than {self._max_bytes} bytes was not read")
            contents[object_id] = content
        self._runtime_client.ConfirmMessageReceived(
            ConfirmMessageReceivedRequest(
                node=self.node, run_id=self.run.run_id, message_object_id=wire.metadata.message_id
            )
        )
        try:
            message = cast(Message, inflate_object_from_contents(wire.metadata.message_id, contents))
        except Exception as error:  # whatever breaks on what a stranger sent, the round goes on
            return _error_for(wire, f"a reply that cannot be read ({type(error).__name__})")
        message.metadata.__dict__["_message_id"] = wire.metadata.message_id
        return message

    def _pull(self, object_id: str) -> bytes | None:
        found = self._runtime_client.PullObject(
            PullObjectRequest(node=self.node, run_id=self.run.run_id, object_id=object_id)
        )
        return found.object_content if found.object_found and found.object_available else None


@contextmanager
def fleet(deployment: Deployment, run_id: int) -> Iterator[tuple[FleetGrid, Context]]:
    """The grid of a run that was started, claimed for this process; given back, whatever happens."""
    token = _claimed(deployment, run_id)
    grid = FleetGrid(deployment, token=token, max_bytes=deployment.settings().server.max_message_bytes)
    heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(grid._runtime_client))
    outcome = "failed"
    try:
        heartbeat.start()
        task = grid._runtime_client.PullTaskInput(PullTaskInputRequest())
        TaskIdentity.task_id, TaskIdentity.run_id = task.task_id, task.run.run_id
        TaskIdentity.node_id = task.context.node_id
        grid.set_run(run_from_proto(task.run))
        yield grid, context_from_proto(task.context)
        outcome = "completed"
    finally:
        grid._retry_invoker.max_tries = 1
        with suppress(httpx.HTTPError):  # the SuperLink may be gone, or have closed the run by itself
            grid._runtime_client.PushTaskOutput(PushTaskOutputRequest(sub_status=outcome, details=""))
        if heartbeat.is_running:
            heartbeat.stop()
        grid.close()


def _claimed(deployment: Deployment, run_id: int) -> str:
    """The token with which this process may run the rounds of `run_id`."""
    retry = make_simple_http_retry_invoker()
    retry.max_time = _ACQUIRE_SECONDS
    client = RuntimeHttpClient.from_server_address(
        local_address(deployment),
        False,
        (deployment.tls / "ca.pem").read_bytes(),
        [
            OperatorToken(deployment.token()),
            RuntimeVersionHttpInterceptor("penchant"),
            SuperExecAuthHttpInterceptor(
                master_secret=deployment.runtime_secret.read_bytes(),
                protected_methods=("/flwr.proto.Runtime/AcquireTask",),
            ),
        ],
        retry_invoker=retry,
    )
    try:
        until = time.monotonic() + _ACQUIRE_SECONDS
        while time.monotonic() < until:
            found = client.AcquireTask(AcquireTaskRequest(supported_task_types=["flwr-serverapp"]))
            if found.token and found.task.run_id == run_id:
                return str(found.token)
            time.sleep(0.2)
    finally:
        client.close()
    raise EnvironmentMissing("the SuperLink did not hand over the run; see its log")


def _error_for(wire: WireMessage, reason: str) -> Message:
    told = wire.metadata
    return make_message(
        metadata=Metadata(
            run_id=told.run_id,
            message_id=told.message_id,
            src_node_id=told.src_node_id,
            dst_node_id=told.dst_node_id,
            message_type=told.message_type,
            group_id="",
            ttl=0,
            reply_to_message_id=told.reply_to_message_id,
            created_at=told.created_at,
        ),
        error=Error(code=UNREADABLE, reason=reason),
    )
