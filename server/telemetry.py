"""What an operator watches: gRPC health, Prometheus metrics, JSON lines. Counts and times alone; nobody is named."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from penchant.errors import EnvironmentMissing
from penchant.server.settings import ServerSettings

SERVICE: Final = "penchant.Rounds"
"""Name of the health service's one entry beside the whole (""): SERVING while rounds can run."""

_LOGGED: Final = (
    "round",
    "clients",
    "refused",
    "seconds",
    "bytes_up",
    "bytes_down",
    "epsilon",
    "epsilon_limit",
)


class Telemetry:
    """One server's figures."""

    def __init__(self, log_path: Path) -> None:
        self.registry = CollectorRegistry()
        self.health = health.HealthServicer()
        self._stream = log_path.open("a", encoding="utf-8", buffering=1)
        self.log = structlog.wrap_logger(
            structlog.PrintLogger(self._stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
        )
        self._gauges = {
            name: Gauge(f"penchant_{name}", says, registry=self.registry)
            for name, says in (
                ("round", "Last round that was released."),
                ("rounds", "Rounds of the whole run."),
                ("clients_online", "Clients on line when a round last looked."),
                ("round_clients", "Clients whose update the last round admitted."),
                ("round_seconds", "Duration of the last round."),
                ("epsilon", "Epsilon spent so far by one protected unit."),
                ("epsilon_limit", "The most that may be spent."),
                ("certificate_days", "Days until the server's certificate ends."),
            )
        }
        self._counters = {
            name: Counter(f"penchant_{name}", says, registry=self.registry)
            for name, says in (
                ("updates_admitted", "Updates that were admitted."),
                ("updates_refused", "Replies that were refused or told of an error."),
                ("bytes_up", "Bytes of tensors received."),
                ("bytes_down", "Bytes of tensors sent."),
            )
        }

    def set(self, **values: float) -> None:
        """Set gauges by name."""
        for name, value in values.items():
            self._gauges[name].set(value)

    def round(self, row: dict[str, Any]) -> None:
        """A round was released: `row` as in metrics.jsonl."""
        self.set(round=row["round"], round_clients=row["clients"], round_seconds=row["seconds"])
        self._add(row)
        if row["epsilon"] is not None:
            self.set(epsilon=row["epsilon"], epsilon_limit=row["epsilon_limit"])
        self.log.info("round released", **{name: row[name] for name in _LOGGED})

    def counted(self, row: dict[str, Any]) -> None:
        """A count was released."""
        self._add(row)
        self.log.info("count released", **row)

    def _add(self, row: dict[str, Any]) -> None:
        self._counters["updates_admitted"].inc(row["clients"])
        self._counters["updates_refused"].inc(row["refused"])
        self._counters["bytes_up"].inc(row["bytes_up"])
        self._counters["bytes_down"].inc(row["bytes_down"])

    def serving(self, *, well: bool) -> None:
        """What the health service answers."""
        status = (
            health_pb2.HealthCheckResponse.SERVING if well else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", SERVICE):
            self.health.set(name, status)

    def close(self) -> None:
        self._stream.close()


@contextmanager
def watched(settings: ServerSettings, log_path: Path) -> Iterator[Telemetry]:
    """Telemetry with its endpoints open. Raises: EnvironmentMissing where a port is taken."""
    with ExitStack() as stack:
        telemetry = Telemetry(log_path)
        stack.callback(telemetry.close)
        telemetry.serving(well=False)
        if settings.health_port:
            stack.enter_context(_health(telemetry, f"{settings.host}:{settings.health_port}"))
        if settings.metrics_port:
            stack.enter_context(_metrics(telemetry, settings.host, settings.metrics_port))
        yield telemetry


@contextmanager
def _health(telemetry: Telemetry, address: str) -> Iterator[None]:
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    health_pb2_grpc.add_HealthServicer_to_server(telemetry.health, server)
    try:
        server.add_insecure_port(address)  # says SERVING or NOT_SERVING, and takes no input worth hiding
    except RuntimeError as error:
        raise EnvironmentMissing(f"health on {address}: {error}; set server.health_port") from error
    server.start()
    try:
        yield
    finally:
        server.stop(grace=1).wait()


@contextmanager
def _metrics(telemetry: Telemetry, host: str, port: int) -> Iterator[None]:
    try:
        server, thread = start_http_server(port, addr=host, registry=telemetry.registry)
    except OSError as error:
        raise EnvironmentMissing(f"metrics on {host}:{port}: {error}; set server.metrics_port") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
