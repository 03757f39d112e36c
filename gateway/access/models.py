"""What the gateway stores: clients, their secrets, the signed JWTs they have used, and the audit."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Tables, new_metadata
from shared.repeats import FirstAnswer


class Base(Tables):
    """Tables of the database `gateway`."""

    __abstract__ = True
    metadata = new_metadata()


class Client(Base):
    """A system that may ask: what it may do, whom it acts for, how exactly it may see figures.

    `generation` goes up with every change that ends the tokens given before.
    """

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint("audience in ('public', 'member', 'national')", name="audience_is_known"),
        CheckConstraint("jwks_uri is null or keys = '[]'::jsonb", name="keys_are_in_one_place"),
    )

    client_id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    organisations: Mapped[list[str]] = mapped_column(ARRAY(Text))
    audience: Mapped[str] = mapped_column(Text)
    keys: Mapped[list[Any]] = mapped_column(default=list)
    jwks_uri: Mapped[str | None] = mapped_column(Text)
    generation: Mapped[int] = mapped_column(Integer, default=1)
    registered_at: Mapped[datetime]
    registered_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    @property
    def signs(self) -> bool:
        """Whether it proves who it is with keys of its own, and has no secret."""
        return bool(self.keys) or self.jwks_uri is not None


class ClientSecret(Base):
    """A client's secret, hashed with argon2id. Two may be good at once while a client changes over."""

    __tablename__ = "client_secret"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"), index=True)
    hash: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class UsedAssertion(Base):
    """The `jti` of a signed JWT that bought a token; kept until the JWT would have expired anyway."""

    __tablename__ = "used_assertion"

    client_id: Mapped[str] = mapped_column(ForeignKey("client.client_id"), primary_key=True)
    jti: Mapped[str] = mapped_column(Text, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Repeat(FirstAnswer, Base):
    """What a POST with an `Idempotency-Key` was answered, its body sealed."""

    __tablename__ = "repeat"


class AuditEntry(Base):
    """One thing that happened at the door. Our account may not change or delete any, and a trigger refuses."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_client_id", "client_id", "id"), Index("ix_audit_event", "event", "id"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(Text)
    client_id: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    method: Mapped[str | None] = mapped_column(Text)
    route: Mapped[str | None] = mapped_column(Text)
    status: Mapped[int | None] = mapped_column(Integer)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
