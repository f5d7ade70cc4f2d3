"""A client that speaks Flower's own protocol to a SuperLink, for tests that knock where ours never would."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from flwr.app import Message
from flwr.app.message import remove_content_from_message
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import ActivateNodeRequest, PullMessagesRequest, PushMessagesRequest
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.inflatable.inflatable_protobuf_utils import make_push_object_fn_protobuf
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.primitives.asymmetric import public_key_to_bytes
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor


class Knocking:
    """Knocks with its own key, and believes in the authority that it is given."""

    def __init__(self, home: Path, address: str, authority: bytes, *, insecure: bool = False) -> None:
        key: Any = load_ssh_private_key((home / "node.key").read_bytes(), None)
        self.public_key = public_key_to_bytes(key.public_key())
        signed = NodeAuthHttpInterceptor(key, key.public_key())
        self.client = FleetHttpClient.from_server_address(
            address,
            insecure,
            None if insecure else authority,
            [RuntimeVersionHttpInterceptor("test"), signed],
        )

    def activate(self) -> int:
        request = ActivateNodeRequest(public_key=self.public_key, heartbeat_interval=30)
        return int(self.client.ActivateNode(request).node_id)

    def pull(self, node: int) -> Any:
        return self.client.PullMessages(PullMessagesRequest(node=Node(node_id=node)))

    def asked(self, node: int) -> Message | None:
        """The next message for this node, without its content."""
        waiting = self.pull(node).messages_list
        return message_from_proto(waiting[0]) if waiting else None

    def push(self, node: int, reply: Message) -> None:
        """Send a reply with all its parts. Whether it was taken, the SuperLink does not say."""
        reply.metadata.__dict__["_message_id"] = reply.object_id
        told = self.client.PushMessages(
            PushMessagesRequest(
                node=Node(node_id=node),
                messages_list=[message_to_proto(remove_content_from_message(reply))],
                message_object_trees=[get_object_tree(reply)],
                clientapp_runtime_list=[0.1],
            )
        )
        push = make_push_object_fn_protobuf(
            self.client.PushObject, Node(node_id=node), reply.metadata.run_id, told.session_id
        )
        parts = get_all_nested_objects(reply)
        for object_id in told.objects_to_push:
            push(object_id, parts[object_id].deflate())
