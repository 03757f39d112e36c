"""A service in miniature: a database with the three tables of messages and one of its own, and a bus."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from pydantic import SecretStr
from sqlalchemy import MetaData, text

from deploy import topics
from deploy.serving import Server
from shared.db import Database
from shared.messaging.local import LocalBus
from shared.messaging.tables import add_tables
from shared.principal import new_key
from shared.service import create_service
from shared.settings import ServiceSettings


@pytest.fixture
def database(new_database: Callable[[None], SecretStr]) -> Iterator[Database]:
    """Messages, and `applied`: what the handlers under test write into."""
    one = Database(new_database(None), pool_size=2)
    metadata = MetaData()
    add_tables(metadata)
    metadata.create_all(one.engine)
    with one.session() as session:
        session.execute(text("create table applied (position serial primary key, measure text not null)"))
    yield one
    one.close()


@pytest.fixture
def local_bus(new_database: Callable[[None], SecretStr]) -> Iterator[LocalBus]:
    one = LocalBus(new_database(None).get_secret_value().replace("+psycopg", ""))
    topics.ensure(one)
    yield one
    one.close()


Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(database: Database) -> Iterator[Serve]:
    """Serve routes as a service of ours is served; the answer is a client of it."""
    with ExitStack() as stack:

        def start(router: APIRouter, *, public_key: str | None = None, **options: Any) -> httpx.Client:
            key = public_key or new_key()[1]
            settings = ServiceSettings(service="tests", database_url=SecretStr("unused"), principal_key=key)
            app = create_service(settings, database=database, routers=[router], **options)
            server = stack.enter_context(Server(app))
            return stack.enter_context(httpx.Client(base_url=server.url, timeout=60))

        yield start
