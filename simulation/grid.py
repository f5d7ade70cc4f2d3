"""Flower's Grid in this process: a ServerApp talks to ClientApps without Ray, sockets or copies of updates."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

_RUN_ID = 1
_SERVER_NODE = 1


class LocalGrid(Grid):
    """Runs each node's ClientApp when its reply is asked for, so that no more than one update is alive at a time.

    The seam for engines: a node may be one person, or host a whole cohort, as its ClientApp decides.
    """

    def __init__(
        self, app: ClientApp, node_ids: Sequence[int], *, absent: Callable[[Message], bool] = lambda _: False
    ) -> None:
        """absent: whether the node that a message is for is away, and leaves it without a reply."""
        self._app = app
        self._absent = absent
        self._run = Run.create_empty(run_id=_RUN_ID)
        self._contexts = {node: _context(node) for node in node_ids}
        self._waiting: dict[str, Message] = {}
        # Message() reads these process-wide values (internal to flwr 1.41: a reason for the pin).
        TaskIdentity.task_id = TaskIdentity.run_id = _RUN_ID
        TaskIdentity.node_id = _SERVER_NODE

    def set_run(self, run: Run) -> None:
        self._run = run

    @property
    def run(self) -> Run:
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Queue the messages. Nothing runs yet."""
        message_ids = []
        for message in messages:
            message_id = str(uuid.uuid4())
            message.metadata.__dict__["_message_id"] = message_id
            message.metadata.__dict__["_run_id"] = _RUN_ID
            self._waiting[message_id] = message
            message_ids.append(message_id)
        return message_ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterator[Message]:
        """Train on demand, one node after the other, in the order asked for."""
        for message_id in message_ids:
            message = self._waiting.pop(message_id, None)
            if message is not None and not self._absent(message):
                yield self._app(message, self._contexts[message.metadata.dst_node_id])

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        del timeout  # nothing is waited for: a node answers when it is asked
        return self.pull_messages(self.push_messages(messages))


def _context(node: int) -> Context:
    return Context(run_id=_RUN_ID, node_id=node, node_config={}, state=RecordDict(), run_config={})
