"""Measures with a database of its own, told a few facts."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deploy.serving import Server
from services.measures.app import create_app
from services.measures.events import HANDLERS
from services.measures.queries.series import Question
from services.measures.settings import MeasuresSettings
from shared.contracts.event import Event
from shared.contracts.periods import Period
from shared.db import Database
from shared.principal import HEADER, Audience, Principal, Signer, new_key
from tests.measures.builders import BIRTHS_FEED, COUNTS_FEED, a_feed, a_measure, an_organisation

NATIONAL = Principal("analyst", frozenset({"measures:read"}), frozenset({"*"}), "national")


class Measures:
    """The service as its tests use it: `hear` facts, then ask."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def hear(self, *events: Event) -> None:
        for event in events:
            with self.database.session() as session:
                HANDLERS[type(event)](session, [event])

    def hear_together(self, events: Sequence[Event]) -> None:
        with self.database.session() as session:
            HANDLERS[type(events[0])](session, events)

    def ask(self, query: Callable[..., Any], measure: str = "preterm", organisation: str = "RGT", **more: Any) -> Any:
        extra = {name: more.pop(name) for name in ("kind",) if name in more}
        for name in ("first", "last"):
            if isinstance(more.get(name), str):
                more[name] = Period.parse(more[name])
        question = Question(measure, organisation, more.pop("caller", NATIONAL), **more)
        with self.database.session() as session:
            return query(session, question, **extra)


@pytest.fixture
def measures(new_database: Callable[[str], SecretStr]) -> Iterator[Measures]:
    database = Database(new_database("measures"), pool_size=2)
    yield Measures(database)
    database.close()


SCOPES = frozenset({"measures:read"})


class Served(Measures):
    """The service on a real server, as a caller sees it."""

    def __init__(self, url: str, database: Database, signer: Signer) -> None:
        super().__init__(database)
        self.client = httpx.Client(base_url=url, timeout=30)
        self._signer = signer

    def as_(
        self, audience: Audience = "national", *organisations: str, scopes: frozenset[str] = SCOPES
    ) -> dict[str, str]:
        """The header of a caller of this audience that acts for these organisations."""
        return {HEADER: self._signer.sign(Principal("caller", scopes, frozenset(organisations), audience))}

    def get(
        self, path: str, *, who: dict[str, str] | None = None, headers: dict[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        asked = {name.rstrip("_"): value for name, value in params.items()}
        caller = self.as_() if who is None else who
        return self.client.get(path, params=asked, headers={**caller, **(headers or {})})

    def read(self, path: str, *, who: dict[str, str] | None = None, **params: Any) -> dict[str, Any]:
        answer = self.get(path, who=who, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def served(new_database: Callable[[str], SecretStr]) -> Iterator[Served]:
    private, public = new_key()
    url = new_database("measures")
    database = Database(url, pool_size=2)
    with Server(create_app(MeasuresSettings(database_url=url, principal_key=public, pool_size=3))) as server:
        one = Served(server.url, database, Signer(private))
        one.hear(a_feed(BIRTHS_FEED), a_feed(COUNTS_FEED), a_measure(), an_organisation("ENGLAND", kind="national"))
        yield one
        one.client.close()
    database.close()
