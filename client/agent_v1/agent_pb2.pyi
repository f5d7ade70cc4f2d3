from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_VIEW: _ClassVar[Kind]
    KIND_CLICK: _ClassVar[Kind]
    KIND_PURCHASE: _ClassVar[Kind]
    KIND_SEARCH: _ClassVar[Kind]
    KIND_LIKE: _ClassVar[Kind]
    KIND_COMMENT: _ClassVar[Kind]
    KIND_SHARE: _ClassVar[Kind]
    KIND_RATING: _ClassVar[Kind]
KIND_UNSPECIFIED: Kind
KIND_VIEW: Kind
KIND_CLICK: Kind
KIND_PURCHASE: Kind
KIND_SEARCH: Kind
KIND_LIKE: Kind
KIND_COMMENT: Kind
KIND_SHARE: Kind
KIND_RATING: Kind

class Event(_message.Message):
    __slots__ = ("item_id", "kind", "at", "value")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    kind: Kind
    at: int
    value: float
    def __init__(self, item_id: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., at: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...

class RecordEventsResponse(_message.Message):
    __slots__ = ("event_ids",)
    EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    event_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, event_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class RecommendRequest(_message.Message):
    __slots__ = ("k",)
    K_FIELD_NUMBER: _ClassVar[int]
    k: int
    def __init__(self, k: _Optional[int] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("text", "share", "item_id")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    text: str
    share: float
    item_id: str
    def __init__(self, text: _Optional[str] = ..., share: _Optional[float] = ..., item_id: _Optional[str] = ...) -> None: ...

class Suggestion(_message.Message):
    __slots__ = ("place", "item_id", "title", "categories", "score", "why")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    place: int
    item_id: str
    title: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    score: float
    why: _containers.RepeatedCompositeFieldContainer[Reason]
    def __init__(self, place: _Optional[int] = ..., item_id: _Optional[str] = ..., title: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ..., score: _Optional[float] = ..., why: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Suggestion]
    def __init__(self, items: _Optional[_Iterable[_Union[Suggestion, _Mapping]]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("item_id",)
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    def __init__(self, item_id: _Optional[str] = ...) -> None: ...

class GetPrivacyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JournalEntry(_message.Message):
    __slots__ = ("at", "what", "detail")
    AT_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    at: int
    what: str
    detail: str
    def __init__(self, at: _Optional[int] = ..., what: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Privacy(_message.Message):
    __slots__ = ("consents", "kinds", "blocked_categories", "age", "retention_days", "federation", "unit", "noise_at", "releases", "epsilon", "epsilon_limit", "delta", "journal", "age_limits")
    class AgeLimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CONSENTS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    RETENTION_DAYS_FIELD_NUMBER: _ClassVar[int]
    FEDERATION_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    NOISE_AT_FIELD_NUMBER: _ClassVar[int]
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    EPSILON_LIMIT_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    AGE_LIMITS_FIELD_NUMBER: _ClassVar[int]
    consents: bool
    kinds: _containers.RepeatedScalarFieldContainer[Kind]
    blocked_categories: _containers.RepeatedScalarFieldContainer[str]
    age: int
    retention_days: int
    federation: str
    unit: str
    noise_at: str
    releases: int
    epsilon: float
    epsilon_limit: float
    delta: float
    journal: _containers.RepeatedCompositeFieldContainer[JournalEntry]
    age_limits: _containers.ScalarMap[str, int]
    def __init__(self, consents: _Optional[bool] = ..., kinds: _Optional[_Iterable[_Union[Kind, str]]] = ..., blocked_categories: _Optional[_Iterable[str]] = ..., age: _Optional[int] = ..., retention_days: _Optional[int] = ..., federation: _Optional[str] = ..., unit: _Optional[str] = ..., noise_at: _Optional[str] = ..., releases: _Optional[int] = ..., epsilon: _Optional[float] = ..., epsilon_limit: _Optional[float] = ..., delta: _Optional[float] = ..., journal: _Optional[_Iterable[_Union[JournalEntry, _Mapping]]] = ..., age_limits: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Kinds(_message.Message):
    __slots__ = ("kinds",)
    KINDS_FIELD_NUMBER: _ClassVar[int]
    kinds: _containers.RepeatedScalarFieldContainer[Kind]
    def __init__(self, kinds: _Optional[_Iterable[_Union[Kind, str]]] = ...) -> None: ...

class Categories(_message.Message):
    __slots__ = ("categories",)
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, categories: _Optional[_Iterable[str]] = ...) -> None: ...

class AgeLimits(_message.Message):
    __slots__ = ("age_limits",)
    class AgeLimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    AGE_LIMITS_FIELD_NUMBER: _ClassVar[int]
    age_limits: _containers.ScalarMap[str, int]
    def __init__(self, age_limits: _Optional[_Mapping[str, int]] = ...) -> None: ...

class SetPrivacyRequest(_message.Message):
    __slots__ = ("consents", "kinds", "blocked_categories", "age", "retention_days", "age_limits")
    CONSENTS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    RETENTION_DAYS_FIELD_NUMBER: _ClassVar[int]
    AGE_LIMITS_FIELD_NUMBER: _ClassVar[int]
    consents: bool
    kinds: Kinds
    blocked_categories: Categories
    age: int
    retention_days: int
    age_limits: AgeLimits
    def __init__(self, consents: _Optional[bool] = ..., kinds: _Optional[_Union[Kinds, _Mapping]] = ..., blocked_categories: _Optional[_Union[Categories, _Mapping]] = ..., age: _Optional[int] = ..., retention_days: _Optional[int] = ..., age_limits: _Optional[_Union[AgeLimits, _Mapping]] = ...) -> None: ...

class EraseRequest(_message.Message):
    __slots__ = ("event_id", "everything")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVERYTHING_FIELD_NUMBER: _ClassVar[int]
    event_id: int
    everything: bool
    def __init__(self, event_id: _Optional[int] = ..., everything: _Optional[bool] = ...) -> None: ...

class EraseResponse(_message.Message):
    __slots__ = ("cannot_be_undone",)
    CANNOT_BE_UNDONE_FIELD_NUMBER: _ClassVar[int]
    cannot_be_undone: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cannot_be_undone: _Optional[_Iterable[str]] = ...) -> None: ...
