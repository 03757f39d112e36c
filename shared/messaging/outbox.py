"""Outbox and relay: an event is written in the transaction of the change it tells of, and carried to the bus after.

`publish` needs a session, so an event cannot be published outside a transaction. The relay deletes a row when the
bus has kept its message: a crash in between sends it twice, never not at all, and the inbox of each consumer drops
the second. It remembers no last position, because a lower position can be committed after a higher one.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, LiteralString, TypeVar

from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.contracts.event import Envelope, Event
from shared.db import Database, copy_rows, driver, now
from shared.messaging import cloudevents
from shared.messaging.bus import LARGEST_BODY, Bus, Message
from shared.telemetry import trail

_LOCK = 0x05_01_B0_0C  # advisory lock: one relay a database, so that order is kept
_BATCH_ROWS = 500
_BATCH_BYTES = 8_000_000
_COLUMNS = {
    "topic": "text", "key": "text", "ordering_key": "text", "headers": "jsonb", "body": "bytea", "stored": "text",
    "held_until": "timestamptz",
}  # fmt: skip
_NEXT = sql.SQL(
    """
    select position, topic, key, ordering_key, headers, body from (
        select *, sum(coalesce(octet_length(body), 0)) over up_to - octet_length(body) as before,
            coalesce(max(held_until) over up_to <= %s, true) as due
        from (
            select position, topic, key, ordering_key, headers, coalesce(body, {}) as body, held_until
            from outbox order by position limit %s
        ) first
        window up_to as (order by position)
    ) sized where due and coalesce(before, 0) < %s order by position
    """
)
_HELD_BACK = "outbox: seconds that what is published is held back"
E = TypeVar("E", bound=Event)


def new_id() -> str:
    """A UUID version 7: unique, and in order of time."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def hold_back(session: Session, *, seconds: float) -> None:
    """Let what the session publishes from now on wait for so long, and all that is published after it behind it.

    To listeners it is as if the bus were away: for the sandbox.
    """
    session.info[_HELD_BACK] = seconds


def publish(
    session: Session, events: Iterable[E], *, source: str, stored: Callable[[E], str | None] = lambda _: None
) -> None:
    """Write events to the outbox, in order, within the session's transaction. `source` is the service's name.

    `stored` says of an event where its body is kept in the same database, in words that the service's relay knows
    (see `Relay`), and for as long as it may have to be sent; None where it is kept nowhere else. Raises ValueError for
    an event that no bus would take: in the outbox it would hold up all that follow.
    """
    session.flush()
    copy_rows(session, "outbox", _COLUMNS, _written(events, source, stored, _held_until(session)))


def _written(
    events: Iterable[E], source: str, stored: Callable[[E], str | None], held_until: datetime | None
) -> Iterator[tuple[Any, ...]]:
    steps = trail()
    for event in events:
        envelope = Envelope(
            id=new_id(),
            source=f"/psip/{source}",
            time=now(),
            correlation_id=steps.correlation_id if steps else None,
            traceparent=steps.span().traceparent if steps else None,
        )
        message = cloudevents.encode(event, envelope)
        if len(message.body) > LARGEST_BODY:
            raise ValueError(f"{event.TYPE} of {len(message.body)} bytes: a message holds {LARGEST_BODY}")
        place = stored(event)
        body = message.body if place is None else None
        yield message.topic, message.key, message.ordering_key, message.headers, body, place, held_until


def _held_until(session: Session) -> datetime | None:
    seconds = session.info.get(_HELD_BACK, 0.0)
    return now() + timedelta(seconds=seconds) if seconds else None


class Relay:
    """Carries a service's outbox to the bus.

    `stored` is the SQL by which the service finds a body that it keeps elsewhere, given `outbox.stored`. At the first
    message that is held back it stops, as where the bus is away: order is kept.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        stored: LiteralString = "null::bytea",
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.database, self.bus, self.clock = database, bus, clock
        self._query = _NEXT.format(sql.SQL(stored))

    def step(self) -> int:
        """Send one batch and forget it; how many messages that was. Zero too while another relay holds the lock."""
        with self.database.session() as session:
            if not session.execute(text("select pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}).scalar_one():
                return 0
            positions, messages = self._next(session)
            if messages:
                self.bus.publish(messages)
                session.execute(text("delete from outbox where position = any(:sent)"), {"sent": positions})
            return len(messages)

    def _next(self, session: Session) -> tuple[list[int], list[Message]]:
        rows = driver(session).execute(self._query, (self.clock(), _BATCH_ROWS, _BATCH_BYTES), binary=True)
        positions, messages = [], []
        for position, topic, key, ordering_key, headers, body in rows:
            if body is None:
                raise LookupError(f"the body of {key!r} is not where the outbox says")
            positions.append(position)
            messages.append(Message(topic=topic, key=key, ordering_key=ordering_key, headers=headers, body=bytes(body)))
        return positions, messages


def waiting(database: Database) -> int:
    """How many messages the outbox holds."""
    with database.session() as session:
        return int(session.execute(text("select count(*) from outbox")).scalar_one())
