"""Ingest on a real server with a database of its own, told of the catalogue's feeds and a few organisations."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deploy.serving import Server
from services.ingest.app import create_app
from services.ingest.events import HANDLERS
from services.ingest.settings import IngestSettings
from shared.contracts.event import Event
from shared.db import Database
from shared.principal import AS_IT_IS, HEADER, Principal, Signer, Supposed, new_key
from tests.ingest.builders import a_feed, a_measure, an_organisation

FEEDS = ("births", "measure-counts", "care-home-weekly")
SCOPES = frozenset({"submissions:write", "submissions:read"})


class Ingest:
    """The service as a sender sees it, and as the registry does (`hear`)."""

    def __init__(self, url: str, database: Database, signer: Signer) -> None:
        self.client = httpx.Client(base_url=url, timeout=30)
        self.database = database
        self._signer = signer

    def hear(self, *events: Event) -> None:
        for event in events:
            with self.database.session() as session:
                HANDLERS[type(event)](session, [event])

    def as_(
        self,
        *organisations: str,
        client: str = "supplier",
        scopes: frozenset[str] = SCOPES,
        supposed: Supposed = AS_IT_IS,
    ) -> dict[str, str]:
        """The header of a caller that acts for these organisations (none named: for all)."""
        principal = Principal(client, scopes, frozenset(organisations or ("*",)), "member", supposed)
        return {HEADER: self._signer.sign(principal)}

    def send(
        self, body: bytes, feed: str = "measure-counts", *, who: dict[str, str] | None = None,
        content_type: str = "text/csv", headers: dict[str, str] | None = None, **params: Any,
    ) -> httpx.Response:  # fmt: skip
        headers = {
            **(self.as_() if who is None else who),
            "Content-Type": content_type,
            "Prefer": "wait=10",
            **(headers or {}),
        }
        return self.client.post("/v1/submissions", params={"feed": feed, **params}, content=body, headers=headers)

    def get(self, path: str, *, who: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params, headers=self.as_() if who is None else who)


@pytest.fixture
def ingest(new_database: Callable[[str], SecretStr]) -> Iterator[Ingest]:
    private, public = new_key()
    url = new_database("ingest")
    settings = IngestSettings(database_url=url, principal_key=public, pseudonym_key=SecretStr("k" * 64), pool_size=3)
    database = Database(url, pool_size=2)
    with Server(create_app(settings)) as server:
        one = Ingest(server.url, database, Signer(private))
        one.hear(*(a_feed(name) for name in FEEDS), a_measure("mn-cqimpreterm"), a_measure("ch-falls", unit="rate"))
        one.hear(an_organisation("QUE", kind="icb"), an_organisation("RGT", within=("QUE",)), an_organisation("RGN"))
        yield one
        one.client.close()
    database.close()
