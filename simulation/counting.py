"""Counting items, pairs and votes in a simulation: what everybody would send, summed sparsely."""

from collections.abc import Sequence

import numpy as np
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from penchant.client.counting import Read, contributions
from penchant.server.app import server_app
from penchant.strategies.counting import CountingStrategy, CountingTerms, What
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F64, I32


def cohort_counts(app: ClientApp, terms: CountingTerms, histories: Sequence[I32], read: Read) -> None:
    """Let a ClientApp that hosts many people answer requests for their counts."""

    def register(what: What) -> None:
        @app.train(what.value)
        def train(message: Message, context: Context) -> Message:
            del context
            request = read_request(terms.told(what), message)
            total = summed(terms, what, [histories[person] for person in request.people], request, read)
            sent = SummedUpdate(request.round, total.astype(np.float32), len(request.people))
            return Message(update_content(terms.layout(what), sent), reply_to=message)

    for what in terms.guarantees:
        register(what)


def summed(
    terms: CountingTerms, what: What, histories: Sequence[I32], request: TrainRequest, read: Read
) -> F64:
    """The sum of what these people would send: float64[size]."""
    total = np.zeros(terms.layout(what).size)
    of = contributions(terms, what, request.head, read)
    for history in histories:
        own = of(history)
        total[own.cells] += own.weights
    return total


def run_count(strategy: CountingStrategy, grid: Grid, *, deadline_seconds: float) -> None:
    """One count, through Flower."""
    app = server_app(lambda _: strategy, rounds=1, deadline_seconds=deadline_seconds)
    app(grid, Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={}))
