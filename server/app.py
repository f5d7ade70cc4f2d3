"""The Flower ServerApp: rounds of the strategy until the run is complete."""

from collections.abc import Callable

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from penchant.strategies import InterestStrategy
from penchant.strategies.wire import arrays


def server_app(
    strategy_for: Callable[[Grid], InterestStrategy], *, rounds: int, deadline_seconds: float
) -> ServerApp:
    """A ServerApp that trains until round `rounds`, counting those that a resumed run has behind it.

    deadline_seconds: how long a round waits for its clients.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        del context
        strategy = strategy_for(grid)
        strategy.start(
            grid,
            initial_arrays=arrays(strategy.layout, strategy.state.head),
            num_rounds=max(0, rounds - strategy.state.round),
            timeout=deadline_seconds,
        )

    return app
