"""The owner's commands to a running SuperLink: who belongs to the federation, and which run is on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from flwr.cli.build import build_fab_from_files
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    ListRunsRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.proto.fab_pb2 import Fab
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.error import FlowerError
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.interceptors.http.utils import add_headers
from flwr.supercore.primitives.asymmetric import public_key_to_bytes, uses_nist_ec_curve
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext

from penchant.errors import BadInput, EnvironmentMissing
from penchant.server.deployment import Deployment
from penchant.server.gate import TOKEN_HEADER
from penchant.server.superlink import answers, local_address, superlink

_START_SECONDS: Final = 180.0
_APPLICATION: Final = {
    "pyproject.toml": b"""\
[project]
name = "penchant"
version = "0.1.0"
description = "A name for Flower's records. Rounds run from the installed package; nothing that is pushed is executed."
license = { file = "LICENSE" }
[tool.flwr.app]
publisher = "penchant"
[tool.flwr.app.components]
serverapp = "nothing_here:app"
clientapp = "nothing_here:app"
""",
    "nothing_here.py": b'raise SystemExit("Penchant runs from the installed package alone.")\n',
    "LICENSE": b"Apache-2.0\n",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A client as the server knows it: a key and whether it is there."""

    id: int
    public_key: bytes
    status: str

    @property
    def online(self) -> bool:
        return self.status == "online"


class OperatorToken:
    """Adds the owner's token to a request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        add_headers(context.request, {TOKEN_HEADER: self._token})
        return call_next(context)


class Operator:
    """What the owner may do. Raises: BadInput with Flower's reason where it refuses."""

    def __init__(self, client: ControlHttpClient) -> None:
        self._client = client

    def nodes(self) -> list[Node]:
        """Everyone enrolled and not revoked."""
        found = self._client.ListNodes(ListNodesRequest()).nodes_info
        return [Node(n.node_id, n.public_key, n.status) for n in found if n.status != "unregistered"]

    def enroll(self, public_key: bytes) -> int:
        """Let the holder of a key in. Returns the node's number."""
        with _told():
            return int(self._client.RegisterNode(RegisterNodeRequest(public_key=public_key)).node_id)

    def revoke(self, public_key: bytes) -> int:
        """Shut the holder of a key out, also from a round that is on."""
        for node in self.nodes():
            if node.public_key == public_key:
                with _told():
                    self._client.UnregisterNode(UnregisterNodeRequest(node_id=node.id))
                return node.id
        raise BadInput("no client is enrolled with this key")

    def start_run(self) -> int:
        """A new run for the rounds that are left; whatever an earlier server left open is closed first."""
        for run_id, run in self._client.ListRuns(ListRunsRequest()).run_dict.items():
            if run.status.status != "finished":
                with _told():
                    self._client.StopRun(StopRunRequest(run_id=run_id))
        content, _ = build_fab_from_files(_APPLICATION)
        with _told():
            return int(self._client.StartRun(StartRunRequest(fab=Fab(content=content))).run_id)


@contextmanager
def operator(deployment: Deployment) -> Iterator[Operator]:
    """A connection to the deployment's running SuperLink."""
    client = ControlHttpClient.from_server_address(
        local_address(deployment),
        insecure=False,
        root_certificates=(deployment.tls / "ca.pem").read_bytes(),
        interceptors=[OperatorToken(deployment.token()), RuntimeVersionHttpInterceptor("penchant")],
    )
    try:
        yield Operator(client)
    except httpx.TransportError as error:
        raise EnvironmentMissing(f"{local_address(deployment)}: {error}") from error
    finally:
        client.close()


@contextmanager
def reachable(deployment: Deployment) -> Iterator[Operator]:
    """The running SuperLink, or one that is started for the length of the block."""
    until = time.monotonic() + _START_SECONDS
    while deployment.is_served():
        if answers(deployment):
            with operator(deployment) as running:
                yield running
            return
        if time.monotonic() > until:
            raise EnvironmentMissing(f"{deployment.root}: the server does not answer; see superlink.log")
        time.sleep(0.2)  # it is on its way up
    with deployment.served(), superlink(deployment), operator(deployment) as brief:
        yield brief


def read_public_key(text: bytes) -> bytes:
    """A client's public key (OpenSSH format) as Flower wants it. Raises: BadInput for any other kind of key."""
    try:
        key = load_ssh_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInput(
            f"not an OpenSSH public key ({error}); `penchant client enroll` writes node.pub"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not uses_nist_ec_curve(key):
        raise BadInput("the key must be on a NIST curve; `penchant client enroll` makes one on P-384")
    return public_key_to_bytes(key)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPStatusError as error:
        raise BadInput(_reason(error)) from error


def _reason(error: httpx.HTTPStatusError) -> str:
    told = FlowerError.from_json(error.response.text)
    if told is None:
        return f"the SuperLink answered {error.response.status_code}"
    return f"{told.message} (Flower error {told.code})"
