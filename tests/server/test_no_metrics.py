"""A deployed server releases no figure about people: it asks for none, admits none, and shows its own alone."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict

from penchant.config import FederationSettings, ModelSettings, OptimizerSettings
from penchant.errors import BadInput
from penchant.interest import InterestModel, TensorLayout
from penchant.privacy.noise import CryptographicNoise
from penchant.rundir import RunDirectory
from penchant.server.journal import Hooks, RunJournal
from penchant.server.settings import validated
from penchant.server.telemetry import Telemetry
from penchant.simulation.grid import LocalGrid
from penchant.simulation.roster import PeopleAsNodes
from penchant.strategies import Guarantee, HeadState, InterestStrategy
from penchant.strategies.wire import Refused, SummedUpdate, read_update, update_content
from penchant.types import NoiseAt, Unit

MODEL = InterestModel(np.eye(6, dtype=np.float32), ModelSettings(width=2), seed=0)
LAYOUT = TensorLayout.shared(MODEL)
OWN = {
    "round",
    "clients",
    "refused",
    "clipped",
    "clip_bound",
    "seconds",
    "bytes_up",
    "bytes_down",
    "update_norm",
}
SPENT = {"epsilon", "epsilon_unamplified", "epsilon_limit"}


def _strategy(run: RunDirectory) -> InterestStrategy:
    guarantee = Guarantee(Unit.USER, NoiseAt.SERVER, 0.3, 2.0)
    return InterestStrategy(
        state=HeadState.initial(LAYOUT.read(MODEL)),
        layout=LAYOUT,
        roster=PeopleAsNodes(3),
        population=3,
        federation=FederationSettings(rounds=1),
        optimizer=OptimizerSettings(),
        guarantee=guarantee,
        noise=lambda _: CryptographicNoise(),
        secret_sampling=True,
        journal=RunJournal(run, guarantee, None, Hooks()),  # as a deployment: nothing is observed
        seed=0,
    )


def _sent(content: RecordDict, node: int) -> Message:
    asked = Message(RecordDict(), dst_node_id=node, message_type=MessageType.TRAIN)
    return Message(content, reply_to=asked)


def test_nobody_is_asked_to_evaluate_and_a_round_tells_of_the_server_alone(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    strategy = _strategy(run)
    nothing = ArrayRecord(), ConfigRecord()
    grid = LocalGrid(lambda message, context: message, [])  # type: ignore[arg-type]
    asked = list(strategy.configure_train(1, *nothing, grid))
    update = update_content(LAYOUT, SummedUpdate(1, LAYOUT.read(MODEL)))
    replies = [Message(update, reply_to=message) for message in asked]
    _, metrics = strategy.aggregate_train(1, replies)
    assert metrics is None
    assert list(strategy.configure_evaluate(1, *nothing, grid)) == []
    assert strategy.aggregate_evaluate(1, replies) is None
    (row,) = run.read_metrics()
    assert set(row) == OWN | SPENT | {"validation"}
    assert row["validation"] is None


def test_an_update_that_carries_a_metric_is_turned_away() -> None:
    content = update_content(LAYOUT, SummedUpdate(1, LAYOUT.read(MODEL)))
    content["metrics"] = MetricRecord({"loss": 0.5})
    with pytest.raises(Refused, match="alone"):
        read_update(LAYOUT, _sent(content, 2), round_=1)


def test_the_operators_figures_are_the_servers_own(tmp_path: Path) -> None:
    with closing(Telemetry(tmp_path / "server.log")) as telemetry:
        shown = {metric.name for metric in telemetry.registry.collect()}
    own = {"round", "rounds", "clients_online", "round_clients", "round_seconds", "certificate_days"}
    counted = {"updates_admitted", "updates_refused", "bytes_up", "bytes_down", "epsilon", "epsilon_limit"}
    assert shown == {f"penchant_{name}" for name in own | counted}


def test_a_share_for_figures_is_refused() -> None:
    with pytest.raises(BadInput, match="a server releases no figures"):
        validated({"privacy": {"metrics_share": 0.05}}, source="server.toml")
