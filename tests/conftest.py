"""What every test shares: a real PostgreSQL, and databases copied from migrated templates in a few milliseconds."""

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from pydantic import SecretStr

from deploy.databases import service_url
from deploy.kafka.broker import Kafka
from deploy.kafka.classpath import why_unavailable
from deploy.migrate import SCRIPTS, migrate
from deploy.postgres import Postgres
from shared.telemetry import configure_logging

# A busy machine is not a wrong answer, and the same tree gives the same answer twice.
settings.register_profile("untimed", deadline=None, derandomize=True)
settings.load_profile("untimed")

configure_logging()  # once, as in any process; what a test says is shown when it fails

_numbers = itertools.count(1)
NewDatabase = Callable[[str | None], SecretStr]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One PostgreSQL server for the whole run."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


class Databases:
    """Fresh databases on one server, copies of migrated templates; the next copy is made while a test uses this one."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._templates: set[str] = set()
        self._coming: dict[str | None, Future[SecretStr]] = {}
        self._ahead = ThreadPoolExecutor(max_workers=1)

    def new(self, service: str | None) -> SecretStr:
        """A database of a service, migrated, or an empty one (None); the answer is its SQLAlchemy address."""
        if service is not None and service not in self._templates:
            self._add_template(service)
            return self._copy(service)
        coming = self._coming.get(service)
        self._coming[service] = self._ahead.submit(self._copy, service)
        return coming.result() if coming is not None else self._copy(service)

    def close(self) -> None:
        self._ahead.shutdown()

    def _add_template(self, service: str) -> None:
        assert service in SCRIPTS
        self._create(f"template_{service}", "template0")
        migrate(service, SecretStr(service_url(self._postgres.server_url, f"template_{service}")))
        self._templates.add(service)

    def _copy(self, service: str | None) -> SecretStr:
        name = f"{service or 'empty'}_{next(_numbers)}"
        self._create(name, f"template_{service}" if service else "template0")
        return SecretStr(service_url(self._postgres.server_url, name))

    def _create(self, name: str, template: str) -> None:
        with psycopg.connect(self._postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            statement = sql.SQL("create database {} template {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


@pytest.fixture(scope="session")
def new_database(postgres: Postgres) -> Iterator[NewDatabase]:
    """Make a fresh database: of a service, migrated, or an empty one (None)."""
    databases = Databases(postgres)
    yield databases.new
    databases.close()


@pytest.fixture(scope="session")
def kafka_possible() -> None:
    """Skips, with the reason, where no Kafka broker can be had; fails there if PSIP_REQUIRE_KAFKA=1."""
    reason = why_unavailable()
    if reason and os.environ.get("PSIP_REQUIRE_KAFKA") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Kafka broker for the whole run."""
    with Kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap
