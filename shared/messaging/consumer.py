"""The consumer: takes batches of messages, applies each event once, and parks what cannot be applied.

Handlers are given a batch, which is where the speed is. A batch that fails is halved until the one poison message
is alone; that one is tried again after each of `pauses` and then parked with the reason, and the rest go on.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson
import structlog
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.contracts.event import Envelope, Event
from shared.db import Database
from shared.messaging.bus import Message, Subscription
from shared.messaging.cloudevents import NotAnEvent, decode
from shared.telemetry import Trail, follow

log = structlog.get_logger()
Handler = Callable[[Session, Sequence[Any]], None]
Handlers = Mapping[type[Event], Handler]


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
    limit: int = 500
    pauses: Sequence[float] = (0.2, 1.0, 5.0)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def step(self, *, seconds: float = 0.0) -> int:
        """Apply the next batch, waiting up to `seconds` for one; how many messages that was.

        Raises OperationalError when the database is away: then nothing is committed and the batch comes again.
        """
        messages = self.subscription.poll(limit=self.limit, seconds=seconds)
        if not messages:
            return 0
        try:
            for kind, batch in groupby(self._read(messages), key=lambda one: type(one.event)):
                self._apply(kind, list(batch))
        except BaseException:
            self.subscription.rewind()
            raise
        self.subscription.commit()
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
            self._apply_new(session, type(event), [Received(message, event, envelope)])
            return True

    def _read(self, messages: Sequence[Message]) -> list[Received]:
        known = []
        for message in messages:
            try:
                event, envelope = decode(message)
            except NotAnEvent as error:
                self._park(message, handler="decode", reason=str(error), attempts=1)
                continue
            if type(event) in self.handlers:
                known.append(Received(message, event, envelope))
        return known

    def _apply(self, kind: type[Event], batch: list[Received]) -> None:
        try:
            self._once(kind, batch)
        except OperationalError:
            raise
        except Exception as error:
            if len(batch) == 1:
                self._insist(kind, batch, error)
                return
            log.warning("batch halved", handler=self.handlers[kind].__name__, size=len(batch), error=str(error)[:200])
            middle = len(batch) // 2
            self._apply(kind, batch[:middle])
            self._apply(kind, batch[middle:])

    def _insist(self, kind: type[Event], batch: list[Received], error: Exception) -> None:
        for pause in self.pauses:
            self.sleep(pause)
            try:
                self._once(kind, batch)
            except OperationalError:
                raise
            except Exception as again:
                error = again
            else:
                return
        name = self.handlers[kind].__name__
        reason = f"{type(error).__name__}: {error}"[:2000]
        self._park(batch[0].message, handler=name, reason=reason, attempts=len(self.pauses) + 1)

    def _once(self, kind: type[Event], batch: Sequence[Received]) -> None:
        with self.database.session() as session:
            self._apply_new(session, kind, batch)

    def _apply_new(self, session: Session, kind: type[Event], batch: Sequence[Received]) -> None:
        fresh = set(
            session.execute(
                text("insert into inbox (event_id) select unnest(:ids) on conflict do nothing returning event_id"),
                {"ids": [one.envelope.id for one in batch]},
            ).scalars()
        )
        events = []
        for one in batch:
            if one.envelope.id in fresh:
                fresh.discard(one.envelope.id)
                events.append(one.event)
        if events:
            last = batch[-1].envelope
            follow(Trail.begin(last.id, last.correlation_id, last.traceparent))
            self.handlers[kind](session, events)

    def _park(self, message: Message, *, handler: str, reason: str, attempts: int) -> None:
        log.error("message parked", topic=message.topic, handler=handler, reason=reason[:200])
        with self.database.session() as session:
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
