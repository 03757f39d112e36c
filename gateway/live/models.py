"""What live updates keep: the log that streams and webhooks read, where organisations lie, webhooks and deliveries."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from gateway.access.models import Base


class LiveEvent(Base):
    """One event as callers are told of it. Positions are given in the order in which they can be seen.

    `data` is for everybody who may see the event, `inside` what is added for those it concerns. `organisations` and
    `measures` are what it is about; `client_id` who caused it; `small` that a figure behind it is under control.
    """

    __tablename__ = "live_event"
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    organisations: Mapped[list[str]] = mapped_column(ARRAY(Text))
    measures: Mapped[list[str]] = mapped_column(ARRAY(Text))
    client_id: Mapped[str | None] = mapped_column(Text)
    small: Mapped[bool]
    data: Mapped[dict[str, Any]]
    inside: Mapped[dict[str, Any]]


class LiveState(Base):
    """The one row of the log itself.

    `forgotten` is the last position that is no longer kept; `places` goes up whenever an organisation changes.
    """

    __tablename__ = "live_state"
    __table_args__ = (CheckConstraint("number = 1", name="one_row"),)

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    forgotten: Mapped[int] = mapped_column(BigInteger, default=0)
    places: Mapped[int] = mapped_column(BigInteger, default=0)


class LivePlace(Base):
    """An organisation: its kind, and `[parent, hierarchy, start, end]` for each that holds or held it."""

    __tablename__ = "live_place"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    parents: Mapped[list[Any]]


class Webhook(Base):
    """An address that a client wants to be called at.

    `position` is the last event that was considered for it. Its secret is not here: it follows from the
    installation's key, `id` and `secret_number`; the number before it is good until `earlier_secret_until`.
    `held_until` is when an address that could not be reached is tried again; `failing_since` the first failure since
    the last success.
    """

    __tablename__ = "webhook"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"), index=True)
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    organisations: Mapped[list[str]] = mapped_column(ARRAY(Text))
    measures: Mapped[list[str]] = mapped_column(ARRAY(Text))
    secret_number: Mapped[int] = mapped_column(Integer)
    earlier_secret_until: Mapped[datetime | None]
    position: Mapped[int] = mapped_column(BigInteger)
    registered_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    succeeded_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_because: Mapped[str | None] = mapped_column(Text)


class Delivery(Base):
    """One event for one webhook: `waiting` until it is `delivered`, or `parked` when it has been tried often enough.

    `position` is null for what is in no log (a test, a reset), whose `data` is here. `leased_until` keeps two workers
    from sending the same at once.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint("state in ('waiting', 'delivered', 'parked')", name="state_is_known"),
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_delivery_due", "webhook_id", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_delivery_webhook_id", "webhook_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(Text)
    event: Mapped[str] = mapped_column(Text)
    position: Mapped[int | None] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    status: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(Text)
