"""The clients of a deployment as the strategy sees them: whoever is on line, once there are enough."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from flwr.serverapp import Grid

from penchant.server.settings import ServerSettings
from penchant.strategies import RoundAborted

_POLL_SECONDS: Final = 0.5


class ConnectedClients:
    """A `Roster` of nodes on line. One node is one person."""

    def __init__(
        self, grid: Grid, settings: ServerSettings, *, seen: Callable[[int], None] = lambda n: None
    ) -> None:
        """seen: told how many are on line, at each look."""
        self._grid = grid
        self._settings = settings
        self._seen = seen

    def people(self) -> Sequence[int]:
        """Waits for the least number of clients. Raises: RoundAborted where they do not come in time."""
        until = time.monotonic() + self._settings.join_seconds
        while len(nodes := self._online()) < self._settings.min_clients:
            if time.monotonic() >= until:
                raise RoundAborted(
                    f"{len(nodes)} of at least {self._settings.min_clients} clients came on line within "
                    f"{self._settings.join_seconds:g} s (server.min_clients, server.join_seconds); "
                    "nothing was charged. `penchant server up` goes on from here"
                )
            time.sleep(_POLL_SECONDS)
        return nodes

    def nodes(self, people: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        return dict.fromkeys(people, ())

    def _online(self) -> list[int]:
        nodes = sorted(self._grid.get_node_ids())
        self._seen(len(nodes))
        return nodes
