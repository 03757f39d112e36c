"""The consumer: takes batches of messages, applies each event once, and parks what cannot be applied.

Handlers are given a batch, which is where the speed is. A batch that fails is halved until the one poison message
is alone; that one is tried again after each of `pauses` and then parked with the reason, and the rest go on.
What was applied and what was parked is noted in the inbox in the same transaction: neither happens twice.
"""

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson
import psycopg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.contracts.event import Envelope, Event
from shared.db import Database
from shared.messaging.bus import Message, Subscription
from shared.messaging.cloudevents import NotAnEvent, decode
from shared.telemetry import Trail, follow, said

log = structlog.get_logger()
Handler = Callable[[Session, Sequence[Any]], None]
Handlers = Mapping[type[Event], Handler]
_PORTION_BYTES = 12_000_000


@dataclass(frozen=True, slots=True)
class Received:
    """A message, the event in it, and what travelled with the event."""

    message: Message
    event: Event
    envelope: Envelope


@dataclass
class Consumer:
    """One service's reading end: `handlers` is its subscription, event by event."""

    service: str
    database: Database
    subscription: Subscription
    handlers: Handlers
    limit: int = 1000
    pauses: Sequence[float] = (0.2, 1.0, 5.0)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def step(self, *, seconds: float = 0.0) -> int:
        """Apply the next batch, waiting up to `seconds` for one; how many messages that was.

        Raises the database's error when that is away: then the group's place is kept and the batch comes again.
        """
        messages = self.subscription.poll(limit=self.limit, seconds=seconds)
        if not messages:
            return 0
        try:
            for kind, batch in groupby(self._read(messages), key=lambda one: type(one.event)):
                for portion in _portions(batch):
                    self._apply(kind, portion)
            self.subscription.commit()
        except BaseException:
            self.subscription.rewind()
            raise
        finally:
            follow(None)
        return len(messages)

    def replay(self, parked_id: int) -> bool:
        """Apply a parked message again and take it out of the park; False if there is none with this id."""
        with self.database.session() as session:
            row = session.execute(
                text("delete from parked where id = :id returning topic, key, ordering_key, headers, body"),
                {"id": parked_id},
            ).one_or_none()
            if row is None:
                return False
            message = Message(**{**row._mapping, "body": bytes(row.body)})
            event, envelope = decode(message)
            if type(event) in self.handlers:
                self._handle(session, type(event), [Received(message, event, envelope)])
            return True

    def forget_old(self, *, days: int = 30) -> None:
        """Forget the events applied that many days ago: longer than any topic gives them again, compacted ones apart.

        A compacted topic may give them to a new group; what they say is then what is known, and changes nothing.
        """
        with self.database.session() as session:
            session.execute(
                text("delete from inbox where applied_at < now() - make_interval(days => :days)"), {"days": days}
            )

    def _read(self, messages: Sequence[Message]) -> list[Received]:
        known = []
        for message in messages:
            try:
                event, envelope = decode(message)
            except NotAnEvent as error:
                self._park(message, _identity(message), handler="decode", reason=said(error), attempts=1)
                continue
            if type(event) in self.handlers:
                known.append(Received(message, event, envelope))
        return known

    def _apply(self, kind: type[Event], batch: list[Received]) -> None:
        try:
            self._once(kind, batch)
        except Exception as error:
            if _database_is_away(error):
                raise
            if len(batch) == 1:
                self._insist(kind, batch, error)
                return
            log.warning("batch halved", handler=self.handlers[kind].__name__, size=len(batch), error=said(error))
            middle = len(batch) // 2
            self._apply(kind, batch[:middle])
            self._apply(kind, batch[middle:])

    def _insist(self, kind: type[Event], batch: list[Received], error: Exception) -> None:
        for pause in self.pauses:
            self.sleep(pause)
            try:
                self._once(kind, batch)
            except Exception as again:
                if _database_is_away(again):
                    raise
                error = again
            else:
                return
        name, (one,) = self.handlers[kind].__name__, batch
        self._park(one.message, one.envelope.id, handler=name, reason=said(error), attempts=len(self.pauses) + 1)

    def _once(self, kind: type[Event], batch: Sequence[Received]) -> None:
        with self.database.session() as session:
            each = {one.envelope.id: one for one in reversed(batch)}
            fresh = _note(session, each)
            new = [one for one in batch if one.envelope.id in fresh and each[one.envelope.id] is one]
            if new:
                self._handle(session, kind, new)

    def _handle(self, session: Session, kind: type[Event], batch: Sequence[Received]) -> None:
        last = batch[-1].envelope
        follow(Trail.begin(last.id, last.correlation_id, last.traceparent))
        self.handlers[kind](session, [one.event for one in batch])

    def _park(self, message: Message, event_id: str, *, handler: str, reason: str, attempts: int) -> None:
        with self.database.session() as session:
            if not _note(session, [event_id]):
                return  # it came again: it was parked, or applied, before
            log.error("message parked", id=event_id, topic=message.topic, handler=handler, reason=reason)
            session.execute(
                text(
                    """insert into parked (topic, handler, reason, attempts, key, ordering_key, headers, body)
                       values (:topic, :handler, :reason, :attempts, :key, :ordering_key, :headers, :body)"""
                ),
                {
                    "topic": message.topic,
                    "handler": handler,
                    "reason": reason,
                    "attempts": attempts,
                    "key": message.key,
                    "ordering_key": message.ordering_key,
                    "headers": orjson.dumps(message.headers).decode(),
                    "body": message.body,
                },
            )


def _portions(batch: Iterable[Received]) -> Iterator[list[Received]]:
    """The batch in portions of bounded size: what is done with a hundred megabytes at once takes many times as much."""
    portion: list[Received] = []
    size = 0
    for one in batch:
        if portion and size + len(one.message.body) > _PORTION_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(one)
        size += len(one.message.body)
    if portion:
        yield portion


def _note(session: Session, event_ids: Collection[str]) -> set[str]:
    """Put the ids into the inbox; those that were not there yet."""
    statement = text(
        "insert into inbox (event_id) select unnest(cast(:ids as text[])) on conflict do nothing returning event_id"
    )
    return set(session.execute(statement, {"ids": list(event_ids)}).scalars())


def _identity(message: Message) -> str:
    """What the inbox knows an unreadable message by: its id, or a digest of it where it has none."""
    digest = hashlib.sha256(orjson.dumps([message.topic, message.key, message.headers]) + message.body)
    return message.headers.get("ce_id") or f"sha256:{digest.hexdigest()}"


def _database_is_away(error: Exception) -> bool:
    """Whether the database, not the message, is at fault: no connection, a deadlock, no room.

    Class 54 (a value beyond PostgreSQL's limits) is an OperationalError too, and would fail for ever.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.OperationalError) and not (cause.sqlstate or "").startswith("54")
