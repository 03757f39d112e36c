"""The three tables every service keeps for its messages; `add_tables` puts them into the service's metadata."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB


def add_tables(metadata: MetaData) -> None:
    """Declare `outbox`, `inbox` and `parked` in the metadata.

    outbox: messages of this service that the bus has not kept yet, in order of `position`. A body that the service
    keeps anyway is not written twice: `stored` says where it is. `held_until`: see `outbox.hold_back`.
    inbox: ids of the events already applied, so that each is applied once.
    parked: messages that could not be applied, with the reason; nothing is thrown away.
    """
    Table(
        "outbox",
        metadata,
        Column("position", BigInteger, Identity(always=True), primary_key=True),
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("ordering_key", Text, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("body", LargeBinary),
        Column("stored", Text),
        Column("written_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("held_until", DateTime(timezone=True)),
        CheckConstraint("num_nonnulls(body, stored) = 1", name="body_here_or_there"),
    )
    inbox = Table(
        "inbox",
        metadata,
        Column("event_id", Text, primary_key=True),
        Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    )
    Index("ix_inbox_applied_at", inbox.c.applied_at)
    Table(
        "parked",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("topic", Text, nullable=False),
        Column("handler", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("key", Text, nullable=False),
        Column("ordering_key", Text, nullable=False),
        Column("headers", JSONB, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("parked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    )
