"""A registry on a real PostgreSQL, and ways to ask it things as anybody."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from services.programmes.app import create_app
from services.programmes.commands import Act, Loaded, load_catalogue, register_organisations
from services.programmes.rules.catalogue import Catalogue
from services.programmes.rules.organisations import Organisation
from services.programmes.settings import ProgrammesSettings
from shared.contracts.event import Event
from shared.db import Database
from shared.messaging.bus import Message
from shared.messaging.cloudevents import decode
from shared.principal import HEADER, Principal, Signer, new_key

REGISTERED = datetime(2026, 5, 1, 9, tzinfo=UTC)


class Registry:
    """The registry's app on one database, and ways to ask it things as anybody."""

    def __init__(self, database: Database, url: SecretStr) -> None:
        private, public = new_key()
        self.database, self.url = database, url
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

    def load(self, catalogue: Catalogue, *, now: datetime = REGISTERED) -> Loaded:
        """Load a catalogue."""
        with self.database.session() as session:
            return load_catalogue(session, catalogue, now=now)

    def forget_events(self) -> None:
        """Empty the outbox, as the relay would."""
        with self.database.session() as session:
            session.execute(text("delete from outbox"))


@pytest.fixture(scope="session")
def new_registry(new_database: Callable[[str | None], SecretStr]) -> Iterator[Callable[[], Registry]]:
    """Make an empty registry on a database of its own."""
    databases: list[Database] = []

    def make() -> Registry:
        url = new_database("programmes")
        databases.append(Database(url, pool_size=2))
        return Registry(databases[-1], url)

    yield make
    for database in databases:
        database.close()


@pytest.fixture
def registry(new_registry: Callable[[], Registry]) -> Iterator[Registry]:
    """An empty registry of one's own, to change; its connections are for the next."""
    one = new_registry()
    yield one
    one.database.close()
