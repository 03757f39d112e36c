"""The whole system in one process: what `psip demo` runs and the journeys test.

The apps and workers are those that production runs in processes of their own; only what lies beneath differs: a
PostgreSQL started from a wheel unless an address is given, and a log table in it for a bus unless Kafka is.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import structlog
from pydantic import SecretStr

from deploy import secrets, topics
from deploy.databases import SERVICE_DATABASES, ensure_databases, service_url
from deploy.lifetimes import Lifetime
from deploy.migrate import migrate
from deploy.postgres import Postgres
from deploy.services import SERVICES, WORKERS, create_app, create_worker, protocol
from deploy.serving import Server, address, bound
from deploy.settings import Environment
from services.programmes import commands
from services.programmes.rules import catalogue
from shared.db import Database, now
from shared.messaging.bus import Bus
from shared.messaging.kafka import KafkaBus
from shared.messaging.local import LocalBus
from shared.messaging.worker import Worker
from shared.settings import KafkaSettings

LOG = "bus"
SETTLE_ROUNDS = 10_000
log = structlog.get_logger()


class Platform(Lifetime):
    """Everything, from `start()` to `stop()`. The data folder keeps it between runs."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        database_server: str | None = None,
        kafka: KafkaSettings | None = None,
        working: bool = True,
        sandbox: bool = False,
    ) -> None:
        """`working` runs the workers in threads; without it they move only when `settle` steps them.

        A `sandbox` lets callers try what production does not: webhooks to this machine.
        """
        self.data_dir = data_dir.resolve()
        self.workers: dict[str, Worker] = {}
        self._port, self._server_url, self._kafka, self._working = port, database_server, kafka, working
        self._sandbox = sandbox
        self._stack = ExitStack()
        self._threads: list[threading.Thread] = []

    def start(self) -> Self:
        """Start what lies beneath, bring the databases up to date, load the catalogue, and serve."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        secrets.ensure(self.data_dir / "secrets")
        server = self._server_url or self._stack.enter_context(Postgres(self.data_dir / "postgres")).server_url
        names = SERVICE_DATABASES if self._kafka else (*SERVICE_DATABASES, LOG)
        ensure_databases(server, names)
        for name in SERVICE_DATABASES:
            migrate(name, SecretStr(service_url(server, name)))
        self.environment = self._environment(server)
        self.bus = self._bus(server)
        topics.ensure(self.bus)
        load_catalogue(self.environment.url("programmes"))
        self._start_workers()
        self.base_url = self._start_apps()
        return self

    def _environment(self, server: str) -> Environment:
        environment = Environment(
            data_dir=self.data_dir,
            secrets_dir=self.data_dir / "secrets",
            database_url=SecretStr(server),
            ingest_database_volume=self.data_dir,
            sandbox=self._sandbox,
        )
        # Who steps the workers wants to see each step.
        return environment if self._working else environment.model_copy(update={"measures_answers_kept_mb": 0})

    def _bus(self, server: str) -> Bus:
        bus: Bus
        if self._kafka is not None:
            bus = KafkaBus(self._kafka)
        else:
            bus = LocalBus(service_url(server, LOG).replace("postgresql+psycopg", "postgresql"))
        self._stack.callback(bus.close)
        return bus

    def _start_workers(self) -> None:
        for name in WORKERS:
            worker = create_worker(name, self.environment, lambda: self.bus)
            self.workers[name] = worker
            self._stack.callback(worker.close)
            if self._working:
                thread = threading.Thread(target=worker.run, name=f"worker-{name}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _start_apps(self) -> str:
        """The services first, on ports of their own; the gateway last, on the port that callers know."""
        for name in SERVICES:
            url = self._stack.enter_context(Server(create_app(name, self.environment))).url
            self.environment = self.environment.model_copy(update={f"{name}_url": url})
        place = self._stack.enter_context(bound(self._port))
        self.environment = self.environment.model_copy(update={"public_url": address(place)})
        return self._stack.enter_context(
            Server(create_app("gateway", self.environment), at=place, protocol=protocol("gateway"))
        ).url

    def settle(self, *, until: Callable[[], bool] = lambda: True) -> None:
        """Step every worker until nothing moves and nothing waits (and `until` holds). For a platform not `working`."""
        for _ in range(SETTLE_ROUNDS):
            moved = sum(worker.step(seconds=0.02) for worker in self.workers.values())
            if not moved and all(worker.settled() for worker in self.workers.values()) and until():
                return
        raise RuntimeError("the platform does not settle: see what is parked")

    def settled(self) -> bool:
        """Whether everything that was accepted has become figures."""
        return all(worker.settled() for worker in self.workers.values())

    def stop(self) -> None:
        """Stop working, then serving, then what lies beneath."""
        for worker in self.workers.values():
            worker.stop()
        for thread in self._threads:
            thread.join(timeout=20)
        self._stack.close()


def load_catalogue(url: SecretStr) -> commands.Loaded:
    """Load what is new in the national catalogue; what people made of the rest stays as it is."""
    database = Database(url, pool_size=1)
    try:
        with database.session() as session:
            return commands.load_catalogue(session, catalogue.load(), now=now())
    finally:
        database.close()
