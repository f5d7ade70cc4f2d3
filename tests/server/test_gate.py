"""What the gate lets through: the fleet's interface for clients, the rest for the owner, nothing that is too large."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from flwr.proto.fleet_pb2 import PushMessagesRequest
from flwr.proto.message_pb2 import Message, Metadata
from flwr.proto.node_pb2 import Node

from penchant.server.gate import TOKEN_HEADER, Gate

LIMIT = 1000


def asked(
    path: str, parts: Iterable[bytes] = (b"",), headers: Iterable[tuple[bytes, bytes]] = ()
) -> tuple[int, list[bytes], int]:
    """Send a request through the gate. Returns the status, what got through, and how many parts were read."""
    reached: list[bytes] = []
    waiting, status, read = list(parts), [0], [0]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        del scope
        reached.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict[str, Any]:
        read[0] += 1
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]

    gate = Gate(application, token="secret", max_bytes=LIMIT)
    scope = {"type": "http", "path": path, "headers": list(headers)}
    asyncio.run(gate(scope, receive, send))
    return status[0], reached, read[0]


OWNER = [(TOKEN_HEADER.encode(), b"secret")]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/control/register-node",
        "/v1/control/start-run",
        "/v1/runtime/acquire-task",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/docs",
        "/openapi.json",
        "/v1/fleet",
        "//v1/control/start-run",
    ],
)
def test_what_is_not_for_clients_asks_for_the_owner_s_token(path: str) -> None:
    assert asked(path)[:2] == (403, [])
    assert asked(path, headers=[(TOKEN_HEADER.encode(), b"guess")])[:2] == (403, [])
    assert asked(path, headers=OWNER)[0] == 200


def test_clients_reach_the_fleet_whole_and_unchanged() -> None:
    assert asked("/v1/fleet/pull-messages", [b"one ", b"two"]) == (200, [b"one two"], 2)


def test_a_length_over_the_limit_is_refused_unread() -> None:
    headers = [(b"content-length", str(10**12).encode())]
    assert asked("/v1/fleet/push-object", [b"x"], headers) == (413, [], 0)
    assert asked("/v1/fleet/push-object", [b"x"], [(b"content-length", b"-1")]) == (413, [], 0)


def test_a_body_without_a_length_is_read_up_to_the_limit_and_no_further() -> None:
    status, reached, read = asked("/v1/fleet/push-object", [b"x" * 400] * 50)
    assert (status, reached, read) == (413, [], 3)
    assert asked("/v1/fleet/push-object", [b"x" * 400] * 2)[0] == 200


def push(node: int, *sources: int) -> bytes:
    messages = [Message(metadata=Metadata(src_node_id=source)) for source in sources]
    request = PushMessagesRequest(node=Node(node_id=node), messages_list=messages)
    return bytes(request.SerializeToString())


def test_a_reply_speaks_for_the_node_that_sends_it() -> None:
    path = "/v1/fleet/push-messages"
    assert asked(path, [push(7, 7)])[0] == 200
    for body in (push(7, 8), push(7, 7, 8), push(7), b"\xff\xff"):
        assert asked(path, [body])[:2] == (403, [])
