"""What stands before Flower's SuperLink: clients reach the fleet's interface alone, with messages of bounded size.

Flower 1.41 serves three interfaces on one port and leaves two of them open: whoever reaches the port could register a
key of their own, or start a program on the server. Here those two ask for the owner's token. Requests of clients are
held against a limit before they are read, and a reply must come from the node that signed the request.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from flwr.proto.fleet_pb2 import PushMessagesRequest
from google.protobuf.message import DecodeError

Scope = MutableMapping[str, Any]
Received = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Received]]
Send = Callable[[Received], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_HEADER: Final = "penchant-operator"
_FLEET: Final = "/v1/fleet/"
_CLOSED_TO_CLIENTS: Final = ("/v1/fleet/register-node", "/v1/fleet/unregister-node")
_PUSH: Final = "/v1/fleet/push-messages"


class Gate:
    """ASGI: lets a request through, or answers 403 or 413 without reading on."""

    def __init__(self, app: App, *, token: str, max_bytes: int) -> None:
        self._app = app
        self._token = token.encode()
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http" or not self._may_enter(scope):
            await _answer(send, 403, b"not for clients")
            return
        body = await self._body(scope, receive)
        if body is None:
            await _answer(send, 413, b"larger than this server reads")
        elif scope["path"] == _PUSH and not _speaks_for_itself(body):
            await _answer(send, 403, b"a reply in another node's name")
        else:
            await self._app(scope, _once(body, receive), send)

    def _may_enter(self, scope: Scope) -> bool:
        path = scope["path"]
        if path.startswith(_FLEET) and path not in _CLOSED_TO_CLIENTS:
            return True
        given = dict(scope["headers"]).get(TOKEN_HEADER.encode(), b"")
        return hmac.compare_digest(given, self._token)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The request's body; None as soon as it is, or says that it will be, too long."""
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > self._max_bytes:
            return None
        body = bytearray()
        while True:
            part = await receive()
            body += part.get("body", b"")
            if len(body) > self._max_bytes:
                return None
            if part["type"] == "http.disconnect" or not part.get("more_body", False):
                return bytes(body)


def _speaks_for_itself(body: bytes) -> bool:
    """Whether every reply names as its source the node of the request, whose signature Flower checks."""
    request = PushMessagesRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        return False
    return len(request.messages_list) == 1 and all(
        message.metadata.src_node_id == request.node.node_id for message in request.messages_list
    )


def _once(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_part() -> Received:
        return waiting.pop() if waiting else await receive()

    return next_part


async def _answer(send: Send, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
