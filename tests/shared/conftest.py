"""A service in miniature: a database with the three tables of messages and one of its own, and a bus."""

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData, text

from deploy import topics
from shared.db import Database
from shared.messaging.local import LocalBus
from shared.messaging.tables import add_tables


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
