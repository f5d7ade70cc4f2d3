"""A client's part in counting: its own items and pairs, bounded before they leave."""

from collections.abc import Callable

import numpy as np
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from penchant.interest.counting import Contribution, item_counts, pair_counts
from penchant.strategies.counting import CountingTerms, What
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F32, I32

HistoryOf = Callable[[Context], I32]


def contributions(terms: CountingTerms, what: What, told: F32) -> Callable[[I32], Contribution]:
    """What a history adds: int32[n_events], in order of time -> its contribution.

    told: float32[n_items], the released item counts.
    """
    unit = terms.guarantee(what).unit
    if what is What.ITEMS:
        return lambda history: item_counts(history, unit)
    chosen = terms.chosen(told)
    return lambda history: pair_counts(history, chosen, terms.settings, unit)


def count(terms: CountingTerms, what: What, history: I32, request: TrainRequest) -> F32:
    """What one client sends: float32[size]."""
    own = contributions(terms, what, request.head)(history)
    values = np.zeros(terms.layout(what).size, np.float32)
    values[own.cells] = own.weights
    return values


def answer_counts(app: ClientApp, terms: CountingTerms, history_of: HistoryOf) -> None:
    """Let a ClientApp of one person answer requests for counts."""

    def register(what: What) -> None:
        @app.train(what.value)
        def train(message: Message, context: Context) -> Message:
            request = read_request(terms.told, message)
            sent = SummedUpdate(request.round, count(terms, what, history_of(context), request))
            return Message(update_content(terms.layout(what), sent), reply_to=message)

    for what in What:
        register(what)
