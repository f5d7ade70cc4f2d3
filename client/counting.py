"""A client's part in counting: its own items, pairs and votes, bounded before they leave."""

from collections.abc import Callable

import numpy as np
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from penchant.interest.counting import Contribution, Counts, item_counts, pair_counts
from penchant.interest.lift import Reading
from penchant.interest.voting import Ballot
from penchant.strategies.counting import CountingTerms, What
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import F32, I32

HistoryOf = Callable[[Context], I32]

Read = Callable[[Counts], Reading]
"""What released counts say of the catalogue, which every client has."""


def contributions(terms: CountingTerms, what: What, told: F32, read: Read) -> Callable[[I32], Contribution]:
    """What a history adds: int32[n_events], in order of time -> its contribution.

    told: float32, what was released before.
    """
    unit = terms.guarantee(what).unit
    if what is What.ITEMS:
        return lambda history: item_counts(history, terms.settings, unit)
    if what is What.PAIRS:
        chosen = terms.chosen(told)
        return lambda history: pair_counts(history, chosen, terms.settings, unit)
    return Ballot(read(terms.counts(told)), terms.settings, unit).vote


def count(terms: CountingTerms, what: What, history: I32, request: TrainRequest, read: Read) -> F32:
    """What one client sends: float32[size]."""
    own = contributions(terms, what, request.head, read)(history)
    values = np.zeros(terms.layout(what).size, np.float32)
    values[own.cells] = own.weights
    return values


def answer_counts(app: ClientApp, terms: CountingTerms, history_of: HistoryOf, read: Read) -> None:
    """Let a ClientApp of one person answer requests for counts."""

    def register(what: What) -> None:
        @app.train(what.value)
        def train(message: Message, context: Context) -> Message:
            request = read_request(terms.told(what), message)
            sent = SummedUpdate(request.round, count(terms, what, history_of(context), request, read))
            return Message(update_content(terms.layout(what), sent), reply_to=message)

    for what in terms.guarantees:
        register(what)
