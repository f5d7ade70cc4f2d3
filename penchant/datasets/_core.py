"""The k-core filter: optional, and off unless asked for."""

import polars as pl

from penchant.errors import BadInput


def k_core(events: pl.DataFrame, *, min_user_events: int, min_item_events: int) -> pl.DataFrame:
    """The largest part in which every person has min_user_events and every item min_item_events.

    events: columns user_id and item_id.  Source: the (p, q)-core of a bipartite graph, by repeated removal.
    Raises: BadInput when nothing is left.
    """
    if max(min_user_events, min_item_events) <= 1:
        return events
    enough = (pl.len().over("user_id") >= min_user_events) & (pl.len().over("item_id") >= min_item_events)
    left = events.filter(enough)
    while left.height < events.height:
        events, left = left, left.filter(enough)
    if left.is_empty():
        raise BadInput(
            f"no person with {min_user_events} events on items with {min_item_events} events is left; "
            f"lower min_user_events or min_item_events"
        )
    return left
