"""Takes messages from the SuperNode and answers them with this process' own app. Pushed code is never unpacked."""

import time
from typing import Final

import httpx
from flwr.app import Context, Error, Message
from flwr.clientapp import ClientApp
from flwr.common.serde import context_from_proto
from flwr.proto.node_pb2 import Node
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullAppMessagesRequest, PullTaskInputRequest
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.inflatable.inflatable_protobuf_utils import (
    make_confirm_message_received_fn_protobuf,
    make_pull_object_fn_protobuf,
)
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError, pull_and_inflate_object_from_tree
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.protobuf.client import ProtobufClientInterceptor
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.runtime.run_clientapp import push_message, push_task_output

from penchant.errors import EnvironmentMissing

_POLL_SECONDS: Final = 0.5
_PULL_SECONDS: Final = 20.0


class Lost(EnvironmentMissing):
    """The SuperNode announced a message and does not have it: the server ended while it was on its way."""


class Worker:
    """A connection to one SuperNode on this machine."""

    def __init__(self, port: int, secret: bytes, app: ClientApp) -> None:
        self._address = f"127.0.0.1:{port}"
        self._app = app
        signed = SuperExecAuthHttpInterceptor(
            master_secret=secret, protected_methods=("/flwr.proto.Runtime/AcquireTask",)
        )
        self._client = self._connected(signed)

    def work(self) -> bool:
        """Answer one message if one is waiting. Returns whether there was one.

        Raises: httpx.HTTPError or Lost where the SuperNode is gone or lost track: start another.
        """
        try:
            found = self._client.AcquireTask(AcquireTaskRequest(supported_task_types=["flwr-clientapp"]))
        except httpx.ConnectError:
            time.sleep(_POLL_SECONDS)  # not up yet, or on its way down: whoever tends it knows
            return False
        if not found.token:
            time.sleep(_POLL_SECONDS)
            return False
        self._answer(found.token)
        return True

    def close(self) -> None:
        self._client.close()

    def _answer(self, token: str) -> None:
        client = self._connected(RuntimeTokenHttpInterceptor(token))
        heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
        try:
            heartbeat.start()
            message, context = _asked(client)
            push_message(client, self._reply(message, context), context)
            _still(heartbeat)  # a heartbeat of a task that is over is refused
            push_task_output(client, context, "completed", "")
        finally:
            _still(heartbeat)
            client.close()

    def _reply(self, message: Message, context: object) -> Message:
        try:
            return self._app(message, context)  # type: ignore[arg-type]
        except Exception as error:  # the SuperNode waits for a reply, whatever is asked of it
            return Message(Error(code=4000, reason=type(error).__name__), reply_to=message)

    def _connected(self, interceptor: ProtobufClientInterceptor) -> RuntimeHttpClient:
        """Plain HTTP: both ends are on this machine's loopback, and tasks are handed out against the shared secret."""
        return RuntimeHttpClient.from_server_address(
            self._address, True, None, [RuntimeVersionHttpInterceptor("penchant"), interceptor]
        )


def _asked(client: RuntimeHttpClient) -> tuple[Message, Context]:
    """What the server asks. As Flower's own, which would wait two hours for what never comes."""
    task = client.PullTaskInput(PullTaskInputRequest())
    context = context_from_proto(task.context)
    TaskIdentity.task_id, TaskIdentity.run_id = task.task_id, task.run.run_id
    TaskIdentity.node_id = context.node_id
    found = client.PullMessages(PullAppMessagesRequest())
    if not found.messages_list:
        raise Lost("a message that is gone")
    tree, whence = found.message_object_trees[0], (Node(node_id=context.node_id), context.run_id)
    try:
        message = pull_and_inflate_object_from_tree(
            tree,
            make_pull_object_fn_protobuf(client.PullObject, *whence),
            make_confirm_message_received_fn_protobuf(client.ConfirmMessageReceived, *whence),
            return_type=Message,
            max_time=_PULL_SECONDS,
        )
    except ObjectPullError as error:
        raise Lost(str(error)) from error
    message.metadata.__dict__["_message_id"] = tree.object_id
    return message, context


def _still(heartbeat: HeartbeatSender) -> None:
    if heartbeat.is_running:
        heartbeat.stop()
