"""The bus of the one-process platform: a log table in its PostgreSQL, with the offsets of each group.

Durable like Kafka (nothing is lost on `kill -9`), ordered as published, one reader a group at a time. Positions are
taken under a lock, so that a reader never passes a position that is still to be committed.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

import orjson
import psycopg
from psycopg import sql
from psycopg.rows import scalar_row

from shared.contracts.event import Topic
from shared.messaging.bus import BusUnavailable, Message

_SCHEMA = """
create table if not exists topic (name text primary key, compacted boolean not null);
create table if not exists message (
    position bigint generated always as identity primary key,
    topic text not null, key text not null, ordering_key text not null, headers jsonb not null, body bytea not null
);
alter table message alter column body set storage external;
create index if not exists message_topic on message (topic, position);
create table if not exists committed (
    reader text not null, topic text not null, position bigint not null, primary key (reader, topic)
);
"""
_DEALT_WITH = "old.position <= coalesce((select min(position) from committed where committed.topic = old.topic), 0)"
_REPLACED = f"""
delete from message old using topic, message newer
where topic.name = old.topic and topic.compacted and newer.topic = old.topic and newer.key = old.key
  and newer.position > old.position and {_DEALT_WITH}
"""  # noqa: S608 - the condition is ours
_PAST = f"""
delete from message old using topic
where topic.name = old.topic and not topic.compacted and {_DEALT_WITH}
  and (old.headers ->> 'ce_time')::timestamptz < now() - %s
"""  # noqa: S608 - the condition is ours
KEPT = timedelta(days=7)
_LOCK = 0x05_01_B0_0D
_CHANNEL = "published"
_POLL_BYTES = 16_000_000


class LocalBus:
    """A bus in one PostgreSQL database (`url` as libpq reads it)."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._connect() as connection:
            connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
            connection.execute(_SCHEMA)
        self._writer = self._connect()
        self._writing = threading.Lock()  # transactions of several threads on one connection would nest

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def ensure(self, topics: Sequence[Topic]) -> None:
        """Note the topics, and drop what every group has dealt with and nobody needs again.

        Of a compacted topic that is each message which a newer one of its key replaces, of another what is a week old.
        """
        with self._connect() as connection:
            for topic in topics:
                connection.execute(
                    "insert into topic values (%s, %s) on conflict (name) do update set compacted = excluded.compacted",
                    (topic.name, topic.compacted),
                )
            connection.execute(_REPLACED)
            connection.execute(_PAST, (KEPT,))

    def publish(self, messages: Sequence[Message]) -> None:
        """Keep the messages, in order, in one transaction."""
        with self._writing, _reaching():
            if self._writer.closed:
                self._writer = self._connect()
            with self._writer.transaction(), self._writer.cursor() as cursor:
                cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
                with cursor.copy("COPY message (topic, key, ordering_key, headers, body) FROM STDIN") as copy:
                    for one in messages:
                        headers = orjson.dumps(one.headers).decode()
                        copy.write_row((one.topic, one.key, one.ordering_key, headers, one.body))
                cursor.execute(sql.SQL("notify {}").format(sql.Identifier(_CHANNEL)))

    def subscribe(self, group: str, topics: Sequence[str]) -> "LocalSubscription":
        """Read these topics for the group; a second reader of the group waits until the first has gone."""
        return LocalSubscription(self._connect, group, list(topics))

    def answers(self) -> bool:
        """Whether the database behind the log answers."""
        with suppress(psycopg.Error), self._connect() as connection:
            connection.execute("select 1")
            return True
        return False

    def close(self) -> None:
        """Let go of the writer's connection."""
        self._writer.close()


class LocalSubscription:
    """A group's place in the log. A connection that is lost is made again, and the lost place read again, by `poll`."""

    def __init__(self, connect: Callable[[], psycopg.Connection], group: str, topics: list[str]) -> None:
        self._connect, self._group, self._topics = connect, group, topics
        self._committed: dict[str, int] = {}
        self._places: dict[str, int] = {}
        with _reaching():
            self._join()

    def _join(self) -> None:
        self._connection = self._connect()
        self._connection.execute(sql.SQL("listen {}").format(sql.Identifier(_CHANNEL)))
        self._held = False

    def poll(self, *, limit: int, seconds: float) -> list[Message]:
        """The next messages in the order they were published, whatever their topic."""
        with _reaching():
            if self._connection.closed:
                self._join()
            messages = self._next(limit)
            if not messages and seconds > 0 and self._told(seconds):
                messages = self._next(limit)
            return messages

    def _told(self, seconds: float) -> bool:
        """Whether something is published within that time."""
        return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))

    def _hold(self) -> bool:
        """One reader a group: the lock lasts as long as the connection."""
        if not self._held:
            found = self._connection.execute("select pg_try_advisory_lock(hashtext(%s))", (self._group,)).fetchone()
            if found and found[0]:
                query = "select topic, position from committed where reader = %s"
                known: dict[str, int] = dict(self._connection.execute(query, (self._group,)).fetchall())
                self._committed = {topic: known.get(topic, 0) for topic in self._topics}
                self._held = True
                self.rewind()
        return self._held

    def _next(self, limit: int) -> list[Message]:
        if not self._hold():
            return []
        rows = self._connection.execute(
            """select position, topic, key, ordering_key, headers, body from (
                   select m.*, sum(octet_length(body)) over (order by m.position) - octet_length(body) as before
                   from unnest(%s::text[], %s::bigint[]) as place(topic, position)
                   cross join lateral (
                       select * from message where message.topic = place.topic and message.position > place.position
                       order by message.position limit %s
                   ) m order by m.position limit %s
               ) sized where before < %s order by position""",
            (list(self._places), list(self._places.values()), limit, limit, _POLL_BYTES),
            binary=True,
        ).fetchall()
        for position, topic, *_ in rows:
            self._places[topic] = position
        return [
            Message(topic=topic, key=key, ordering_key=ordering_key, headers=headers, body=bytes(body))
            for _, topic, key, ordering_key, headers, body in rows
        ]

    def commit(self) -> None:
        """Everything polled is dealt with."""
        with _reaching():
            self._connection.execute(
                """insert into committed
                   select %s, topic, position from unnest(%s::text[], %s::bigint[]) as place(topic, position)
                   on conflict (reader, topic) do update set position = excluded.position""",
                (self._group, list(self._places), list(self._places.values())),
            )
        self._committed = dict(self._places)

    def rewind(self) -> None:
        """Go back to what was last committed. Asks nobody: it is called when the database may be away."""
        self._places = dict(self._committed)

    def lag(self) -> int:
        """How many messages of the topics the group has not committed."""
        with _reaching():
            if self._connection.closed:
                self._join()
            found = (
                self._connection.cursor(row_factory=scalar_row)
                .execute(
                    """select count(*) from message left join committed
                           on committed.topic = message.topic and committed.reader = %s
                       where message.topic = any(%s) and message.position > coalesce(committed.position, 0)""",
                    (self._group, self._topics),
                )
                .fetchone()
            )
        return int(found or 0)

    def close(self) -> None:
        """Leave the group."""
        self._connection.close()


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise BusUnavailable(f"{type(error).__name__}: {error}") from error
