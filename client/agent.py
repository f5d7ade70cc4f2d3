"""The agent: what apps on the same device ask, over gRPC on a Unix socket or loopback."""

import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
from grpc_reflection.v1alpha import reflection

from penchant.client.agent_v1 import agent_pb2 as v1
from penchant.client.agent_v1 import agent_pb2_grpc
from penchant.client.person import Person
from penchant.client.preferences import Preferences
from penchant.client.recommending import Suggestion
from penchant.errors import BadInput, PenchantError
from penchant.types import KINDS, Event, Kind

_MOST: Final = 1000
_USUAL: Final = 10


class AgentService(agent_pb2_grpc.AgentServicer):
    """Answers with what `Person` says; an error that a caller can act on comes back with its words."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def RecordEvents(self, request_iterator: Iterator[v1.Event], context: Any) -> v1.RecordEventsResponse:  # noqa: N802
        with _told(context):
            events = [_event(one) for one in request_iterator]
            return v1.RecordEventsResponse(event_ids=self._person.record(events))

    def Recommend(self, request: v1.RecommendRequest, context: Any) -> v1.RecommendResponse:  # noqa: N802
        with _told(context):
            if not 0 <= request.k <= _MOST:
                raise BadInput(f"k is {request.k}, expected 1 to {_MOST}")
            items = self._person.suggest(request.k or _USUAL)
            return v1.RecommendResponse(items=map(_suggestion, items))

    def Explain(self, request: v1.ExplainRequest, context: Any) -> v1.Suggestion:  # noqa: N802
        with _told(context):
            return _suggestion(self._person.explain(request.item_id))

    def GetPrivacy(self, request: v1.GetPrivacyRequest, context: Any) -> v1.Privacy:  # noqa: N802
        del request
        with _told(context):
            return _privacy(self._person)

    def SetPrivacy(self, request: v1.SetPrivacyRequest, context: Any) -> v1.Privacy:  # noqa: N802
        with _told(context):
            if request.HasField("consents"):
                self._person.take_part(request.consents)
            chosen = _chosen(request)
            if chosen:
                kept = self._person.preferences().model_dump()
                self._person.prefer(Preferences.model_validate({**kept, **chosen}))
            return _privacy(self._person)

    def Erase(self, request: v1.EraseRequest, context: Any) -> v1.EraseResponse:  # noqa: N802
        with _told(context):
            if request.WhichOneof("what") == "event_id":
                self._person.forget(request.event_id)
                return v1.EraseResponse()
            if not request.everything:
                raise BadInput("say what to erase: an event_id, or everything = true")
            return v1.EraseResponse(cannot_be_undone=self._person.erase())


def serve(person: Person, address: str, *, token: str) -> grpc.Server:
    """Start answering at `address`: unix:PATH, or 127.0.0.1:PORT. Stop it with `.stop(grace)`.

    Raises: BadInput for an address that others on the network could reach, or that is taken.
    """
    if not address.startswith(("unix:", "127.0.0.1:")):
        raise BadInput(f"{address}: the agent answers on unix:PATH or 127.0.0.1:PORT, and nowhere else")
    server = grpc.server(
        ThreadPoolExecutor(4, "agent"), interceptors=[_TokenGate(token)], maximum_concurrent_rpcs=64
    )
    agent_pb2_grpc.add_AgentServicer_to_server(AgentService(person), server)
    names = (v1.DESCRIPTOR.services_by_name["Agent"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise BadInput(f"{address}: cannot be used ({error}); is another agent running?") from error
    server.start()
    return server


class _TokenGate(grpc.ServerInterceptor):  # type: ignore[misc]
    """Who cannot read the device's folder cannot call, not even for the list of methods."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}"
        self._refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        given = dict(details.invocation_metadata).get("authorization", "")
        if hmac.compare_digest(str(given).encode(), self._expected.encode()):
            return continuation(details)
        return self._refusal


def _refuse(request: object, context: Any) -> None:
    del request
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "a token is needed: authorization: Bearer TOKEN")


class _told:  # noqa: N801 - reads as a statement
    """Turns our errors into gRPC's."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, PenchantError):
            status = (
                grpc.StatusCode.INVALID_ARGUMENT if isinstance(error, BadInput) else grpc.StatusCode.INTERNAL
            )
            self._context.abort(status, str(error))


def _event(sent: v1.Event) -> Event:
    if not sent.item_id or sent.kind not in range(1, len(KINDS) + 1):
        raise BadInput(f"an event needs an item_id and a kind; got item {sent.item_id!r}, kind {sent.kind}")
    return Event(
        sent.item_id,
        KINDS[sent.kind - 1],
        sent.at or int(time.time()),
        sent.value if sent.HasField("value") else None,
    )


def _suggestion(line: Suggestion) -> v1.Suggestion:
    return v1.Suggestion(
        place=line.place,
        item_id=line.item_id,
        title=line.title,
        categories=line.categories,
        score=line.score,
        why=[v1.Reason(text=one.text, share=one.share, item_id=one.item_id) for one in line.why],
    )


def _privacy(person: Person) -> v1.Privacy:
    facts, chosen = person.facts(), person.preferences()
    federation = facts.federation
    told = v1.Privacy(
        consents=facts.consents,
        kinds=[_numbered(kind) for kind in KINDS if kind in chosen.kinds],
        blocked_categories=sorted(chosen.blocked_categories),
        age=chosen.age,
        age_limits=chosen.age_limits,
        retention_days=chosen.retention_days,
        releases=facts.releases,
        epsilon=facts.epsilon,
        journal=[v1.JournalEntry(at=e.at, what=e.what, detail=json.dumps(e.detail)) for e in facts.journal],
    )
    if federation is not None:
        told.federation, told.unit, told.noise_at = federation.name, federation.unit, federation.noise_at
        told.delta = federation.delta
        if federation.epsilon_limit is not None:
            told.epsilon_limit = federation.epsilon_limit
    return told


def _numbered(kind: Kind) -> v1.Kind:
    number: v1.Kind = v1.Kind.Value(f"KIND_{kind.name}")
    return number


def _chosen(request: v1.SetPrivacyRequest) -> dict[str, Any]:
    """The preferences that the request names."""
    chosen: dict[str, Any] = {}
    if request.HasField("kinds"):
        if not all(kind in range(1, len(KINDS) + 1) for kind in request.kinds.kinds):
            raise BadInput(f"kinds {list(request.kinds.kinds)}: expected numbers from 1 to {len(KINDS)}")
        chosen["kinds"] = [KINDS[kind - 1] for kind in request.kinds.kinds]
    if request.HasField("blocked_categories"):
        chosen["blocked_categories"] = list(request.blocked_categories.categories)
    if request.HasField("age_limits"):
        chosen["age_limits"] = dict(request.age_limits.age_limits)
    for name in ("age", "retention_days"):
        if request.HasField(name):
            value = getattr(request, name)
            if value < 0 or (name == "age" and value > 150):
                raise BadInput(f"{name} is {value}")
            chosen[name] = value or None
    return chosen
