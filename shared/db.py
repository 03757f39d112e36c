"""Databases: one PostgreSQL database per service, sessions that commit before the answer is sent."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import psycopg
from fastapi import Depends, Request
from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import SecretStr
from sqlalchemy import BigInteger, ColumnElement, DateTime, Engine, Identity, MetaData, and_, create_engine, or_, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.orm import Session as OrmSession

_CONNECT_SECONDS = 10
SECONDS_LEFT = "X-PSIP-Seconds-Left"
LONGEST_SECONDS = 86_400
NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Tables(DeclarativeBase):
    """What a service's tables derive from: instants are time-zone aware, mappings are JSONB, constraints are named.

    Each service makes its own subclass with its own `MetaData(naming_convention=NAMES)`.
    """

    __abstract__ = True
    type_annotation_map = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB, list[Any]: JSONB}


class Recorded:
    """A row that was held to be true from `recorded_at` until `superseded_at` (still, if absent)."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]

    @classmethod
    def known(cls, at: datetime | None) -> ColumnElement[bool]:
        """Whether a row was held to be true at an instant, or is now."""
        if at is None:
            return cls.superseded_at.is_(None)
        return and_(cls.recorded_at <= at, or_(cls.superseded_at.is_(None), cls.superseded_at > at))


def new_metadata() -> MetaData:
    """Metadata whose constraints get predictable names, so that migrations can speak of them."""
    return MetaData(naming_convention=NAMES)


class Database:
    """One service's database. `session()` commits when its block ends well and rolls back when it does not."""

    def __init__(self, url: SecretStr, *, pool_size: int = 10, statement_seconds: int | None = None) -> None:
        """No statement may take longer than `statement_seconds`, if given: nobody waits for its answer any more."""
        self.statement_seconds = statement_seconds
        self.engine: Engine = create_engine(
            url.get_secret_value(),
            pool_size=2 * pool_size,
            max_overflow=0,  # what is borrowed beyond what is kept would be opened anew for every few requests
            pool_use_lifo=True,  # the connections that are used most know the statements already
            pool_pre_ping=True,
            json_deserializer=orjson.loads,  # which makes the names in documents once
            hide_parameters=True,  # errors are logged and parked; what callers sent must not be
            connect_args={
                "options": f"-c timezone=UTC -c jit=off -c statement_timeout={1000 * (statement_seconds or 0)}",
                "connect_timeout": _CONNECT_SECONDS,
            },
        )

    @contextmanager
    def session(self, *, seconds: float | None = None) -> Iterator[OrmSession]:
        """A session whose work is committed at the end of the block, or not at all.

        `seconds` is how long its answer will be waited for: no statement takes longer.
        """
        with OrmSession(self.engine, expire_on_commit=False) as session, session.begin():
            if seconds is not None and seconds < (self.statement_seconds or float("inf")):
                session.execute(text(f"set local statement_timeout = {max(1, round(1000 * seconds))}"))
            yield session

    def answers(self) -> bool:
        """Whether the database can be asked something now."""
        with self.engine.connect() as connection:
            return bool(connection.execute(text("select 1")).scalar_one())

    @contextmanager
    def listener(self, channel: str) -> Iterator[psycopg.Connection[Any]]:
        """A connection of its own that hears the notifications of a channel."""
        url = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_SECONDS) as connection:
            connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def driver(session: OrmSession) -> psycopg.Connection[Any]:
    """The psycopg connection under a session, in the session's transaction: for COPY and binary reads."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)  # noqa: S101 - the dialect is postgresql+psycopg
    return connection


def copy_rows(session: OrmSession, table: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows by COPY, in the session's transaction: several times as fast as inserting them.

    `columns` are names and PostgreSQL types in the order of a row's values; a value of a `jsonb` is what it says.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(sql.Identifier(table), names)
    documents = [number for number, kind in enumerate(columns.values()) if kind == "jsonb"]
    with driver(session).cursor().copy(statement) as copy:
        copy.set_types([*columns.values()])
        for row in rows:
            copy.write_row(_with_documents(row, documents) if documents else row)


def _with_documents(row: Sequence[Any], places: Iterable[int]) -> Sequence[Any]:
    values = list(row)
    for place in places:
        values[place] = None if values[place] is None else Jsonb(values[place], dumps=orjson.dumps)
    return values


def take_turn(session: OrmSession, name: str) -> None:
    """Wait until nobody else has the turn of this name, and keep others waiting until the transaction ends."""
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def now() -> datetime:
    """This instant, in UTC. Commands read the clock here; rules are handed it."""
    return datetime.now(UTC)


def _request_session(request: Request) -> Iterator[OrmSession]:
    database: Database = request.app.state.database
    with database.session(seconds=seconds_left(request)) as session:
        yield session


def seconds_left(request: Request) -> float | None:
    """How long the answer will be waited for, as the gateway says; None where nobody does."""
    try:
        seconds = float(request.headers.get(SECONDS_LEFT, "nan"))
    except ValueError:
        return None
    return seconds if 0 < seconds < LONGEST_SECONDS else None


# scope="function": the commit happens before the answer is sent, so nobody holds a 202 for what failed to commit.
Session = Annotated[OrmSession, Depends(_request_session, scope="function")]
