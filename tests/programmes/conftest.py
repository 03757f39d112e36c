"""A registry on a real PostgreSQL: one server for the run, a fresh database for each test that asks."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from deploy.databases import service_url
from deploy.migrate import migrate
from deploy.postgres import Postgres
from services.programmes.app import create_app
from services.programmes.commands import Act, register_organisations
from services.programmes.rules.organisations import Organisation
from services.programmes.settings import ProgrammesSettings
from shared.contracts.event import Event
from shared.db import Database
from shared.messaging.bus import Message
from shared.messaging.cloudevents import decode
from shared.principal import HEADER, Principal, Signer, new_key

TEMPLATE = "registry_template"
REGISTERED = datetime(2026, 5, 1, 9, tzinfo=UTC)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that holds a migrated, empty registry to copy from."""
    with Postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        with psycopg.connect(postgres.server_url, dbname="postgres", autocommit=True) as connection:
            connection.execute(f"create database {TEMPLATE}")
        migrate("programmes", SecretStr(postgres.url(TEMPLATE)))
        yield postgres.server_url


@pytest.fixture
def template() -> str:
    """The database a test's own is a copy of: an empty registry, unless a file says otherwise."""
    return TEMPLATE


@pytest.fixture
def url(server: str, template: str) -> Iterator[SecretStr]:
    """The address of a registry of one's own."""
    name = f"registry_{next(_numbers)}"
    with psycopg.connect(server, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}")
        yield SecretStr(service_url(server, name))
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def database(url: SecretStr) -> Iterator[Database]:
    database = Database(url, pool_size=2)
    yield database
    database.close()


class Registry:
    """The registry's app on one database, and ways to ask it things as anybody."""

    def __init__(self, database: Database, url: SecretStr) -> None:
        private, public = new_key()
        self.database = database
        self.signer = Signer(private)
        self.app = create_app(ProgrammesSettings(database_url=url, principal_key=public), database)

    def ask(
        self,
        method: str,
        path: str,
        *,
        scopes: str = "programmes:read",
        organisations: Iterable[str] = (),
        client: str = "somebody",
        headers: Mapping[str, str] | None = None,
        **sent: Any,
    ) -> httpx.Response:
        """One request of somebody whom the gateway knows; by default one who may read and acts for nobody."""
        principal = Principal(client, frozenset(scopes.split()), frozenset(organisations))
        return self.send(method, path, headers={HEADER: self.signer.sign(principal), **(headers or {})}, **sent)

    def send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """One request as it is, without a principal."""

        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://registry") as client:
                return await client.request(method, path, **sent)

        return anyio.run(answer)

    def get(self, path: str, **asked: Any) -> Any:
        """The JSON of a good answer."""
        answer = self.ask("GET", path, **asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def register(self, *organisations: Organisation, at: datetime = REGISTERED) -> None:
        """Register organisations, or change them."""
        with self.database.session() as session:
            register_organisations(session, organisations, Act("tester", at))

    def published(self, kind: type[Event]) -> list[Any]:
        """The events of a kind that wait in the outbox, in order."""
        with self.database.session() as session:
            rows = session.execute(text("select topic, key, ordering_key, headers, body from outbox order by position"))
            messages = [Message(**{**row._mapping, "body": bytes(row.body)}) for row in rows]
        events = [decode(message)[0] for message in messages]
        return [event for event in events if isinstance(event, kind)]


@pytest.fixture
def registry(database: Database, url: SecretStr) -> Registry:
    return Registry(database, url)
