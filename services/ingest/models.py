"""What ingest stores: submissions and their receipts, faults, returns and their versions, and what it was told."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Tables, new_metadata
from shared.messaging.tables import add_tables


class Base(Tables):
    """Tables of the database `ingest`."""

    __abstract__ = True
    metadata = new_metadata()


class Submission(Base):
    """One POST and its receipt. The counts of its rows always add up: the database refuses them otherwise.

    `organisations` are those of the returns it is of, `quarantined` those of its rejected and waiting rows. `link` and
    `linked_at` are the number and the instant of the receipt's last link in its client's chain.
    """

    __tablename__ = "submission"
    __table_args__ = (
        CheckConstraint(
            "received = accepted + unchanged + duplicate + waiting + rejected", name="every_row_is_accounted_for"
        ),
        CheckConstraint(
            "least(received, accepted, unchanged, duplicate, waiting, rejected) >= 0", name="no_less_than_0"
        ),
        UniqueConstraint("client_id", "idempotency_key", name="uq_submission_idempotency_key"),
        Index("ix_submission_client_id", "client_id", "id"),
        Index("ix_submission_received_at", "client_id", "received_at"),
        Index("ix_submission_sha256", "sha256", "feed"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    client_id: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(Text)
    feed: Mapped[str] = mapped_column(Text)
    feed_version: Mapped[str] = mapped_column(Text)
    organisation: Mapped[str | None] = mapped_column(Text)
    period: Mapped[str | None] = mapped_column(Text)
    options: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(Text)
    dry_run: Mapped[bool] = mapped_column(default=False)
    sha256: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    content_type: Mapped[str] = mapped_column(Text)
    content_encoding: Mapped[str] = mapped_column(Text)
    repeat_of: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime]
    completed_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    received: Mapped[int] = mapped_column(Integer, default=0)
    accepted: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    duplicate: Mapped[int] = mapped_column(Integer, default=0)
    waiting: Mapped[int] = mapped_column(Integer, default=0)
    rejected: Mapped[int] = mapped_column(Integer, default=0)
    added: Mapped[int] = mapped_column(Integer, default=0)
    changed: Mapped[int] = mapped_column(Integer, default=0)
    removed: Mapped[int] = mapped_column(Integer, default=0)
    faults_total: Mapped[int] = mapped_column(Integer, default=0)
    faults: Mapped[list[Any]] = mapped_column(default=list)
    returns_total: Mapped[int] = mapped_column(Integer, default=0)
    organisations: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    quarantined: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    previous_receipt_sha256: Mapped[str | None] = mapped_column(Text)
    receipt_sha256: Mapped[str] = mapped_column(Text)
    link: Mapped[int] = mapped_column(Integer, default=0)
    linked_at: Mapped[datetime | None]


class DryRun(Base):
    """The rows of a dry run, of which nothing else is kept: they count towards what a client may send in a minute."""

    __tablename__ = "dry_run"
    __table_args__ = (Index("ix_dry_run_received_at", "client_id", "received_at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    client_id: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]
    received: Mapped[int]


class ReceiptEntry(Base):
    """A link of a client's chain: what a receipt said (`said`: JSON, zstd) from then on, tied to the link before."""

    __tablename__ = "receipt_entry"
    __table_args__ = (Index("ix_receipt_entry_submission_id", "submission_id"),)

    client_id: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    event: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime]
    previous_sha256: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    said: Mapped[bytes] = mapped_column(LargeBinary)


class Resolution(Base):
    """What became of a rejected row: `corrected` (it landed or waits) or `waived`, by whom and why."""

    __tablename__ = "resolution"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    client_id: Mapped[str] = mapped_column(Text)
    resolved_at: Mapped[datetime]


class SubmissionPart(Base):
    """A piece of what a submission left, in order.

    `original` is the file as sent (zstd); where that identifies people there is `redacted` in its place. `redacted`,
    `rejected` and `faults` are Parquet.
    """

    __tablename__ = "submission_part"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class Return(Base):
    """Everything one organisation says for one feed and one period: which version of it is current."""

    __tablename__ = "return"

    feed: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(Text, primary_key=True)
    period: Mapped[str] = mapped_column(Text, primary_key=True)
    sequence: Mapped[int] = mapped_column(default=0)
    versions: Mapped[int] = mapped_column(default=0)
    current_id: Mapped[str | None] = mapped_column(Text)


class ReturnVersion(Base):
    """One version of a return. Immutable, but for being withdrawn."""

    __tablename__ = "return_version"
    __table_args__ = (
        ForeignKeyConstraint(
            ["feed", "organisation", "period"], ["return.feed", "return.organisation", "return.period"]
        ),
        UniqueConstraint("feed", "organisation", "period", "version", name="uq_return_version_version"),
        Index("ix_return_version_submission_id", "submission_id"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    feed: Mapped[str] = mapped_column(Text)
    feed_version: Mapped[str] = mapped_column(Text)
    organisation: Mapped[str] = mapped_column(Text)
    period: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    kind: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    row_count: Mapped[int]
    extracted_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class ReturnPart(Base):
    """The rows of a version, in columnar form (or JSON for a few): parts numbered from 1."""

    __tablename__ = "return_part"

    version_id: Mapped[str] = mapped_column(Text, primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    content_type: Mapped[str] = mapped_column(Text)
    rows: Mapped[bytes] = mapped_column(LargeBinary)


class WaitingRow(Base):
    """A row that waits for reference data: it lands by itself when the registry publishes `awaits`."""

    __tablename__ = "waiting_row"
    __table_args__ = (Index("ix_waiting_row_awaits", "awaits"),)

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    awaits: Mapped[str] = mapped_column(Text)
    row: Mapped[dict[str, Any]]


class Feed(Base):
    """A feed version as the registry published it; the newest version is the one that rows are checked against."""

    __tablename__ = "feed"

    feed: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[str] = mapped_column(Text, primary_key=True)
    spec: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]


class Organisation(Base):
    """An organisation as the registry published it; `parents` are the codes it lies within, with dates."""

    __tablename__ = "organisation"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    identifiers: Mapped[dict[str, Any]]
    opened: Mapped[date | None]
    closed: Mapped[date | None]
    successors: Mapped[list[str]] = mapped_column(ARRAY(Text))
    parents: Mapped[list[Any]]
    recorded_at: Mapped[datetime]


class Measure(Base):
    """What ingest must know of a measure: that it exists, the feeds it is made from, whether it is a proportion."""

    __tablename__ = "measure"

    measure: Mapped[str] = mapped_column(Text, primary_key=True)
    proportion: Mapped[bool]
    feeds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    published_at: Mapped[datetime]


class ReferenceState(Base):
    """One row that counts what the registry has told us: a higher number means that a copy in memory is stale."""

    __tablename__ = "reference_state"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)


add_tables(Base.metadata)
