"""Everything that a client sends, byte by byte as it travels, holds nothing personal but the update itself."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.clientapp import ClientApp
from flwr.common.serde import message_to_proto

from penchant.client.app import ClientPlan, Person, client_app
from penchant.config import FederationSettings, ModelSettings, OptimizerSettings, TrainingSettings
from penchant.datasets import Dataset
from penchant.interest import InterestModel, TensorLayout
from penchant.privacy.noise import CryptographicNoise
from penchant.simulation.grid import LocalGrid
from penchant.simulation.roster import PeopleAsNodes, node_of, person_of
from penchant.simulation.stores import StackedStores
from penchant.strategies import Guarantee, HeadState, InterestStrategy
from penchant.strategies.wire import arrays
from penchant.types import F32, I32, NoiseAt, Unit

ROUNDS = 2
EVENTS = {"annabelle": 3, "benedict": 4, "cassandra": 5, "desdemona": 9, "eleonora": 40, "ferdinand": 300}
GUARANTEES = {
    "none": Guarantee(Unit.NONE, NoiseAt.SERVER, 0.3, 0.0),
    "event at the client": Guarantee(Unit.EVENT, NoiseAt.CLIENT, 0.3, 1.0),
    "event at the server": Guarantee(Unit.EVENT, NoiseAt.SERVER, 0.3, 1.0),
    "user at the client": Guarantee(Unit.USER, NoiseAt.CLIENT, 0.3, 1.0),
    "user at the server": Guarantee(Unit.USER, NoiseAt.SERVER, 0.3, 1.0),
}


@dataclass(frozen=True)
class Sent:
    """One reply as it left a client, and the adapter (float32[n_personal]) that the client kept."""

    person: int
    reply: Message
    adapter: F32

    @property
    def raw(self) -> bytes:
        """The bytes that travel, by Flower's own serialisation."""
        return bytes(message_to_proto(self.reply).SerializeToString())


class Tap(LocalGrid):
    """A Grid that shows each reply before the server sees it."""

    def __init__(self, app: ClientApp, n_people: int, seen: Callable[[Message], None]) -> None:
        super().__init__(app, [node_of(person) for person in range(n_people)])
        self._seen = seen

    def pull_messages(self, message_ids: Iterable[str]) -> Iterator[Message]:
        for reply in super().pull_messages(message_ids):
            self._seen(reply)
            yield reply


class _NoJournal:
    def charge(self, *_: object) -> None: ...

    def persist(self, *_: object) -> None: ...


class Crowd:
    """People with a client each, of 3 to 300 events."""

    def __init__(self, data: Dataset, guarantee: Guarantee, epsilon_limit: float | None = None) -> None:
        self.data, self._guarantee = data, guarantee
        self.n_people = data.behaviours.n_users
        vectors = np.random.default_rng(3).normal(size=(len(data.catalogue), 16)).astype(np.float32)
        self._model = InterestModel(vectors, ModelSettings(width=8), seed=0)
        self.shared, self.personal = TensorLayout.shared(self._model), TensorLayout.personal(self._model)
        self._stores = StackedStores(self.personal.read(self._model), self.n_people)
        training = TrainingSettings(
            adapter_learning_rate=0.7
        )  # another than the head's: gradients agree at first
        self._plan = ClientPlan(self._model, training, guarantee, epsilon_limit, 1e-5, seed=0)

    def history(self, person: int) -> I32:
        return self.data.behaviours.of(person).items

    def app(self) -> ClientApp:
        return client_app(self._plan, self._person)

    def _person(self, context: Context) -> Person:
        person = person_of(context.node_id)
        return Person(self.history(person), self._stores.of(person), lambda _: CryptographicNoise())

    def train(self, app: ClientApp) -> list[Sent]:
        """Everything that clients send in ROUNDS rounds."""
        sent: list[Sent] = []

        def seen(reply: Message) -> None:
            person = person_of(reply.metadata.src_node_id)
            sent.append(Sent(person, reply, self._stores.of(person).load().adapter))

        strategy = InterestStrategy(
            state=HeadState.initial(self.shared.read(self._model)),
            layout=self.shared,
            roster=PeopleAsNodes(self.n_people),
            population=self.n_people,
            federation=FederationSettings(rounds=ROUNDS, min_replies=0),
            optimizer=OptimizerSettings(),
            guarantee=self._guarantee,
            noise=lambda _: CryptographicNoise(),
            secret_sampling=False,
            journal=_NoJournal(),
            seed=0,
        )
        head = arrays(self.shared, strategy.state.head)
        strategy.start(Tap(app, self.n_people, seen), head, num_rounds=ROUNDS)
        return sent


def leaks(crowd: Crowd, sent: Iterable[Sent]) -> set[str]:
    """What the replies show beyond the allow-list."""
    return {leak for one in sent for leak in (*_beyond_the_list(crowd, one.reply), *_secrets_in(crowd, one))}


def _beyond_the_list(crowd: Crowd, reply: Message) -> Iterator[str]:
    if reply.has_error():
        return
    content = reply.content
    if set(content) != {"update", "config"}:
        yield "another record"
    if set(content.array_records.get("update", ())) != set(crowd.shared.names):
        yield "another tensor"
    if set(content.config_records.get("config", ())) != {"round"}:
        yield "another setting"


def _secrets_in(crowd: Crowd, sent: Sent) -> Iterator[str]:
    raw = sent.raw
    for name, secret in _secrets(crowd, sent):
        assert len(secret) >= 5  # shorter ones arise by chance
        if secret in raw:
            yield name


def _secrets(crowd: Crowd, sent: Sent) -> Iterator[tuple[str, bytes]]:
    behaviours, catalogue = crowd.data.behaviours, crowd.data.catalogue
    yield "the word personal", b"personal"
    yield "a person", behaviours.user_ids[sent.person].encode()
    own = behaviours.of(sent.person)
    for item in set(own.items.tolist()):
        yield "an item", catalogue.item_ids[item].encode()
        yield "an item", catalogue.titles[item].encode()
    yield from (("a count", f"{word}".encode()) for word in ("num-examples", "num_examples", "count"))
    for kind in ("<i4", ">i4", "<i8", ">i8", "<f4", "<f8"):
        yield "a history", own.items[:3].astype(kind).tobytes()
        yield "a history", own.items[-3:].astype(kind).tobytes()
        yield "a timestamp", own.at[:2].astype(kind).tobytes()
        yield "a timestamp", own.at[-2:].astype(kind).tobytes()
    if len(own.items) >= 8:
        yield "a history", bytes(own.items[:8].tolist())
        yield "a history", bytes((2 * own.items[:8]).tolist())  # as a list in a ConfigRecord: zigzag varints
    for values in crowd.personal.unflatten(sent.adapter).values():
        if values.any():  # zeros are found anywhere
            yield "an adapter", values.ravel()[:4].tobytes()
            yield "an adapter", values.ravel()[-4:].astype("<f8").tobytes()


@pytest.fixture(scope="module")
def data(tiny_of: Callable[[dict[str, tuple[str, ...]]], Dataset], tiny: Dataset) -> Dataset:
    titles = tiny.catalogue.titles
    return tiny_of(
        {
            name: tuple(titles[(1 + person + 5 * n) % (len(titles) // 2)] for n in range(count))
            for person, (name, count) in enumerate(EVENTS.items())
        }
    )


@pytest.mark.parametrize("guarantee", GUARANTEES.values(), ids=GUARANTEES)
def test_a_client_sends_an_allow_listed_update_and_nothing_else(data: Dataset, guarantee: Guarantee) -> None:
    crowd = Crowd(data, guarantee)
    sent = crowd.train(crowd.app())
    assert sorted(one.person for one in sent) == sorted([*range(crowd.n_people)] * ROUNDS)
    assert not any(one.reply.has_error() for one in sent)
    assert all(tensor.any() for one in sent for tensor in crowd.personal.unflatten(one.adapter).values())
    assert leaks(crowd, sent) == set()


@pytest.mark.parametrize("guarantee", GUARANTEES.values(), ids=GUARANTEES)
def test_a_reply_is_as_long_for_3_events_as_for_300(data: Dataset, guarantee: Guarantee) -> None:
    crowd = Crowd(data, guarantee)
    assert [len(crowd.history(person)) for person in (0, 5)] == [3, 300]
    assert len({len(one.raw) for one in crowd.train(crowd.app())}) == 1


def test_a_client_whose_budget_is_spent_says_no_more_than_that(data: Dataset) -> None:
    crowd = Crowd(data, GUARANTEES["event at the client"], epsilon_limit=5.0)
    sent = [one for one in crowd.train(crowd.app()) if one.reply.has_error()]
    assert len(sent) == crowd.n_people
    assert leaks(crowd, sent) == set()
    assert len({one.reply.error.reason for one in sent}) == 1


Plant = Callable[[Crowd, int, Message], None]


def _plant_adapter(crowd: Crowd, person: int, reply: Message) -> None:
    values = crowd.personal.unflatten(crowd._stores.of(person).load().adapter)
    reply.content.array_records["update"]["personal.user"] = Array(values["personal.user"])


def _plant_adapter_unnamed(crowd: Crowd, person: int, reply: Message) -> None:
    """Written over a part of an allow-listed tensor."""
    update = reply.content.array_records["update"]
    values = update["shared.head.weight"].numpy().copy()
    user = crowd.personal.unflatten(crowd._stores.of(person).load().adapter)["personal.user"]
    values.ravel()[: len(user)] = user
    update["shared.head.weight"] = Array(values)


def _plant_num_examples(crowd: Crowd, person: int, reply: Message) -> None:
    reply.content["metrics"] = MetricRecord({"num-examples": len(crowd.history(person))})


def _plant_count(crowd: Crowd, person: int, reply: Message) -> None:
    reply.content.config_records["config"]["n"] = len(crowd.history(person))


def _plant_history(crowd: Crowd, person: int, reply: Message) -> None:
    reply.content["config"] = ConfigRecord({"round": crowd.history(person).tolist()})


def _plant_history_as_numbers(crowd: Crowd, person: int, reply: Message) -> None:
    values = reply.content.array_records["update"]["shared.prior.weight"].numpy().copy()
    values[:3, 0] = crowd.history(person)[:3]
    reply.content.array_records["update"]["shared.prior.weight"] = Array(values)


def _plant_times(crowd: Crowd, person: int, reply: Message) -> None:
    times = crowd.data.behaviours.of(person).at.astype(np.int64)
    reply.content["times"] = ArrayRecord({"at": Array(times)})


def _plant_title(crowd: Crowd, person: int, reply: Message) -> None:
    title = crowd.data.catalogue.titles[int(crowd.history(person)[0])]
    reply.metadata.__dict__["_group_id"] = f"{uuid.uuid4()} likes {title}"


PLANTS: dict[str, tuple[Plant, set[str]]] = {
    "an adapter tensor": (_plant_adapter, {"another tensor", "the word personal", "an adapter"}),
    "an adapter inside the update": (_plant_adapter_unnamed, {"an adapter"}),
    "a metric": (_plant_num_examples, {"another record", "a count"}),
    "a count among the settings": (_plant_count, {"another setting"}),
    "item ids in place of the round": (_plant_history, {"a history"}),
    "item ids inside the update": (_plant_history_as_numbers, {"a history"}),
    "times": (_plant_times, {"another record", "a timestamp"}),
    "a title in the message's metadata": (_plant_title, {"an item"}),
}


@pytest.mark.parametrize(("plant", "found"), PLANTS.values(), ids=PLANTS)
def test_the_check_finds_what_is_planted(data: Dataset, plant: Plant, found: set[str]) -> None:
    crowd = Crowd(data, GUARANTEES["event at the client"])
    honest, leaky = crowd.app(), ClientApp()

    @leaky.train()
    def train(message: Message, context: Context) -> Message:
        reply = honest(message, context)
        plant(crowd, person_of(context.node_id), reply)
        return reply

    assert leaks(crowd, crowd.train(leaky)) == found
