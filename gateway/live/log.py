"""The log of live events: written by the gateway's worker, read by every replica and by the sender of webhooks.

An event's position is its place in the log, the `id` of the stream and the cursor of webhooks. Positions become
visible in their order, so whoever has read up to one has missed none before it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ScalarSelect, delete, func, select, text, update
from sqlalchemy.orm import Session

from gateway.live.kinds import written
from gateway.live.models import LiveEvent, LiveState
from shared.contracts.event import Event
from shared.db import copy_rows, now
from shared.messaging.outbox import new_id

KEPT = timedelta(days=7)
"""How far back a stream may be resumed and a webhook replayed."""
_LOCK = 0x05_01_B0_0E
_COLUMNS = {
    "id": "text", "name": "text", "at": "timestamptz", "organisations": "text[]", "measures": "text[]",
    "client_id": "text", "small": "bool", "data": "jsonb", "inside": "jsonb",
}  # fmt: skip


class Bounds(NamedTuple):
    """The last position that is no longer kept, and the newest there is."""

    forgotten: int
    newest: int

    def holds(self, position: int) -> bool:
        """Whether everything after this position is still kept, and the position is one of ours."""
        return self.forgotten <= position <= self.newest


def note(session: Session, events: Iterable[Event]) -> None:
    """Write down what happened; what is older than the log reaches back is left out (a new group hears it all again).

    A lower position may not commit after a higher one: readers would never see it. Hence one writer at a time.
    """
    oldest = now() - KEPT
    rows = [{"id": new_id()} | row for row in map(written, events) if row["at"] >= oldest]
    if rows:
        session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        copy_rows(session, "live_event", _COLUMNS, ([one[name] for name in _COLUMNS] for one in rows))


def after(session: Session, position: int, *, limit: int) -> Sequence[LiveEvent]:
    """The events after a position, oldest first."""
    query = select(LiveEvent).where(LiveEvent.position > position).order_by(LiveEvent.position).limit(limit)
    return session.scalars(query).all()


def last(session: Session, count: int) -> Sequence[LiveEvent]:
    """The newest events, oldest first."""
    found = session.scalars(select(LiveEvent).order_by(LiveEvent.position.desc()).limit(count)).all()
    return found[::-1]


def newest() -> ScalarSelect[int]:
    """The newest position, as part of a query; that of the last which was forgotten when none is kept."""
    last_kept = select(func.max(LiveEvent.position)).scalar_subquery()
    return select(func.greatest(LiveState.forgotten, last_kept)).correlate(None).scalar_subquery()


def bounds(session: Session) -> Bounds:
    """How far the log reaches."""
    return Bounds(*session.execute(select(LiveState.forgotten, newest())).one())


def forget(session: Session, *, before: datetime) -> None:
    """Forget the events at the log's beginning that happened before then."""
    first_kept = session.scalars(
        select(LiveEvent.position).where(LiveEvent.at >= before).order_by(LiveEvent.position).limit(1)
    ).one_or_none()
    until = bounds(session).newest if first_kept is None else first_kept - 1
    session.execute(delete(LiveEvent).where(LiveEvent.position <= until))
    session.execute(update(LiveState).values(forgotten=func.greatest(LiveState.forgotten, until)))
