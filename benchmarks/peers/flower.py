"""Flower's own simulation: one Ray actor a core, one message a client, FedAvg by its strategy's arithmetic."""

from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from benchmarks.peers._torch import histories_of, model_of, negatives_of
from benchmarks.work import Work
from penchant.interest import HistoryLoss, TensorLayout

_HERE: dict[str, Any] = {}


def here(path: str) -> tuple[Work, Any, list[Any]]:
    """The work, its model and histories, built once in each process."""
    if path not in _HERE:
        work = Work.load(path)  # type: ignore[arg-type]
        _HERE[path] = (work, model_of(work), histories_of(work))
    return _HERE[path]


client = ClientApp()


@client.train()
def train(message: Message, context: Context) -> Message:
    config = message.content["config"]
    work, model, histories = here(config["work"])
    layout = TensorLayout.shared(model)
    parameters = layout.select(model)
    layout.write(model, message.content["arrays"]["head"].numpy())
    events, length = histories[int(context.node_config["partition-id"])]
    loss = HistoryLoss(model)(events, length, negatives_of(work, config["server-round"])).sum()
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(work.learning_rate * gradient)
    trained = ArrayRecord([layout.read(model)])
    content = RecordDict({"arrays": _named(trained), "metrics": MetricRecord({"num-examples": 1})})
    return Message(content, reply_to=message)


def _named(record: ArrayRecord) -> ArrayRecord:
    return ArrayRecord({"head": next(iter(record.values()))})


if __name__ == "__main__":
    from benchmarks.conversation import Conversation

    talk = Conversation()
    people = len(talk.work.histories)
    import sys

    server = ServerApp()

    @server.main()
    def serve(grid: Grid, context: Context) -> None:
        del context
        strategy = FedAvg(
            fraction_train=1.0, fraction_evaluate=0.0, min_train_nodes=people, min_available_nodes=people
        )
        for request in talk.requests():
            head = ArrayRecord([request.head])
            config = ConfigRecord({"work": sys.argv[1], "server-round": request.round})
            messages = strategy.configure_train(request.round, _named(head), config, grid)
            replies = list(grid.send_and_receive(messages, timeout=600))
            assert len(replies) == people
            averaged, _ = strategy.aggregate_train(request.round, replies)
            assert averaged is not None
            request.answer = np.asarray(averaged["head"].numpy())

    run_simulation(
        server,
        client,
        num_supernodes=people,
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )
