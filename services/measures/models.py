"""What measures stores: returns as received, cells and their history, and what the registry has told it.

History is kept by validity: a cell is known from `known_from` until it is replaced (`known_to`; null while it stands),
and what the registry said from `recorded_at` until `superseded_at`, so the same tables answer what is known now and
what was known at any past instant.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Float, Identity, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Recorded, Tables, new_metadata
from shared.messaging.tables import add_tables


class Base(Tables):
    """Tables of the database `measures`."""

    __abstract__ = True
    metadata = new_metadata()


def _one_current(table: str, *columns: str) -> Index:
    """At most one row of these columns is current."""
    return Index(f"uq_{table}_current", *columns, unique=True, postgresql_where=text("superseded_at is null"))


class ReturnVersion(Base):
    """A version of a return as ingest published it; current from `applied_at` until `replaced_at`.

    `start` and `end` are the first and last day of its period. A version whose parts have not all come is not
    `whole` and counts for nothing.
    """

    __tablename__ = "return_version"
    __table_args__ = (
        Index(
            "ix_return_version_current", "feed", "organisation", "start", postgresql_where=text("replaced_at is null")
        ),
        Index("ix_return_version_return", "feed", "organisation", "period", "sequence"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    feed: Mapped[str] = mapped_column(Text)
    organisation: Mapped[str] = mapped_column(Text)
    period: Mapped[str] = mapped_column(Text)
    start: Mapped[date]
    end: Mapped[date]
    sequence: Mapped[int]
    version: Mapped[int]
    submission_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    row_count: Mapped[int]
    received_at: Mapped[datetime]
    parts: Mapped[int]
    applied_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]


class ReturnPart(Base):
    """The rows of a return version, part by part, as they came."""

    __tablename__ = "return_part"

    version_id: Mapped[str] = mapped_column(Text, primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    content_type: Mapped[str] = mapped_column(Text)
    rows: Mapped[bytes] = mapped_column(LargeBinary)


class Cell(Base):
    """The figures of one measure, organisation and period, all strata together.

    `strata` lists them (the empty string is the whole), with a numerator and denominator for each (null: there is
    none). `dates` holds the instants of events for charts of the time between them. `kind` is `rows`, `counted` or
    `nil`; `versions` are the return versions behind it, `provisional` when any of them is. `failed` says in words which
    quality gates it fails. `change` is the data version that brought it.
    """

    __tablename__ = "cell"
    __table_args__ = (
        Index(
            "uq_cell_current",
            "measure",
            "organisation",
            "period",
            unique=True,
            postgresql_where=text("known_to is null"),
        ),
        Index("ix_cell_organisation", "organisation", "measure", "start", postgresql_where=text("known_to is null")),
    )

    measure: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation: Mapped[str] = mapped_column(Text, primary_key=True)
    period: Mapped[str] = mapped_column(Text, primary_key=True)
    known_from: Mapped[datetime] = mapped_column(primary_key=True)
    known_to: Mapped[datetime | None]
    grain: Mapped[str] = mapped_column(Text)
    start: Mapped[date]
    definition_version: Mapped[str] = mapped_column(Text)
    strata: Mapped[list[str]] = mapped_column(ARRAY(Text))
    numerator: Mapped[list[float | None]] = mapped_column(ARRAY(Float))
    denominator: Mapped[list[float | None]] = mapped_column(ARRAY(Float))
    dates: Mapped[list[datetime] | None] = mapped_column(ARRAY(DateTime), nullable=True)
    kind: Mapped[str] = mapped_column(Text)
    provisional: Mapped[bool]
    versions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    failed: Mapped[list[str]] = mapped_column(ARRAY(Text))
    change: Mapped[int] = mapped_column(BigInteger)


class Change(Base):
    """A batch of figures that moved together: its number is the data version, `at` the instant it was known."""

    __tablename__ = "change"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]


class Signal(Base):
    """Special-cause variation of an organisation's measure: found at the change `data_version`, open until resolved.

    `period` is that of the point which gave it. `small` marks charts with a count that disclosure control would alter.
    """

    __tablename__ = "signal"
    __table_args__ = (
        Index("uq_signal_open", "measure", "organisation", unique=True, postgresql_where=text("resolved_at is null")),
        Index("ix_signal_organisation", "organisation", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    measure: Mapped[str] = mapped_column(Text)
    organisation: Mapped[str] = mapped_column(Text)
    period: Mapped[str] = mapped_column(Text)
    variation: Mapped[str] = mapped_column(Text)
    rule: Mapped[str | None] = mapped_column(Text)
    chart: Mapped[str] = mapped_column(Text)
    small: Mapped[bool]
    data_version: Mapped[int] = mapped_column(BigInteger)
    detected_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]


class Unjudged(Base):
    """Figures of an organisation that moved, of some measures (all, if none is named): the charts of the aggregates it
    is in are still to be judged. Rows are only ever added and taken away, so that nobody waits for anybody."""

    __tablename__ = "unjudged"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    organisation: Mapped[str] = mapped_column(Text)
    measures: Mapped[list[str]] = mapped_column(ARRAY(Text))


class QuarantinedReturn(Recorded, Base):
    """A return of which rows were sent, every one was rejected, and of which nothing stood; as a submission had it."""

    __tablename__ = "quarantined_return"
    __table_args__ = (_one_current("quarantined_return", "feed", "organisation", "period", "submission_id"),)

    feed: Mapped[str] = mapped_column(Text)
    organisation: Mapped[str] = mapped_column(Text, index=True)
    period: Mapped[str] = mapped_column(Text)
    submission_id: Mapped[str] = mapped_column(Text)


class Definition(Recorded, Base):
    """A measure as the registry published it: each version for as long as it was the newest."""

    __tablename__ = "definition"
    __table_args__ = (_one_current("definition", "measure"),)

    measure: Mapped[str] = mapped_column(Text, index=True)
    version: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    definition: Mapped[dict[str, Any]]


class Feed(Base):
    """A feed as the registry published it."""

    __tablename__ = "feed"

    feed: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[str] = mapped_column(Text, primary_key=True)
    spec: Mapped[dict[str, Any]]
    published_at: Mapped[datetime]


class Organisation(Recorded, Base):
    """An organisation as the registry published it."""

    __tablename__ = "organisation"
    __table_args__ = (_one_current("organisation", "code"),)

    code: Mapped[str] = mapped_column(Text, index=True)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    identifiers: Mapped[dict[str, Any]]
    opened: Mapped[date | None]
    closed: Mapped[date | None]


class Edge(Recorded, Base):
    """`child` lay within `parent` from `start` until the day before `end`."""

    __tablename__ = "edge"

    child: Mapped[str] = mapped_column(Text, index=True)
    parent: Mapped[str] = mapped_column(Text, index=True)
    hierarchy: Mapped[str] = mapped_column(Text)
    start: Mapped[date | None]
    end: Mapped[date | None]


class Succession(Recorded, Base):
    """On `on` the work of `code` passed, wholly or partly, to `successor`."""

    __tablename__ = "succession"

    code: Mapped[str] = mapped_column(Text, index=True)
    successor: Mapped[str] = mapped_column(Text, index=True)
    on: Mapped[date]


class Target(Recorded, Base):
    """A target as the registry set it."""

    __tablename__ = "target"
    __table_args__ = (_one_current("target", "name"),)

    name: Mapped[str] = mapped_column(Text)
    measure: Mapped[str] = mapped_column(Text, index=True)
    version: Mapped[str] = mapped_column(Text)
    target: Mapped[dict[str, Any]]


class Annotation(Recorded, Base):
    """Something to draw on charts, as the registry recorded it, until it was changed or withdrawn."""

    __tablename__ = "annotation"
    __table_args__ = (_one_current("annotation", "name"),)

    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    organisation: Mapped[str] = mapped_column(Text, index=True)
    measure: Mapped[str | None] = mapped_column(Text)
    on: Mapped[date]
    text: Mapped[str] = mapped_column(Text)


class RegistryEdition(Base):
    """Of what the registry told: all rows together name its present state, and are others after every change of it.

    The tables that it told see to that themselves, in the transaction of the change (migrations). There are several
    rows so that those who write at once need not wait for one another: each writes in the `slot` of its connection.
    """

    __tablename__ = "registry_edition"

    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[UUID]


add_tables(Base.metadata)
