"""What the registry stores. A row is never overwritten: the next supersedes it and it stays, to be read as the past.

`recorded_at` and `superseded_at` bound when the platform held a row to be true (what was known); `start` and `end`,
`since` and `until` bound when it was true in the world. Every `end` and `until` is the first day it no longer was.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Computed, Identity, Index, Text, any_, literal, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import InstrumentedAttribute, Mapped, declared_attr, mapped_column

from shared.db import Recorded, Tables, new_metadata
from shared.messaging.tables import add_tables
from shared.repeats import FirstAnswer

T = TypeVar("T")


class Base(Tables):
    """The tables of the database `programmes`."""

    __abstract__ = True
    metadata = new_metadata()


add_tables(Base.metadata)


def among(column: InstrumentedAttribute[T], values: Iterable[T]) -> ColumnElement[bool]:
    """Whether the column is one of these values, of which there may be more than a statement takes parameters."""
    return column == any_(literal(list(values), ARRAY(column.type)))


def _one_current(table: str, *columns: str) -> Index:
    """At most one row of these columns is current."""
    return Index(f"uq_{table}_current", *columns, unique=True, postgresql_where=text("superseded_at is null"))


def _values(row: Base, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


SEARCHED = (
    "to_tsvector('simple', code || ' ' || name) || to_tsvector('simple', jsonb_path_query_array(names, '$[*].name'))"
)
"""What a search finds an organisation by: its code, and every name it ever had."""


class Organisation(Recorded, Base):
    """Anything with a code, as it was known for a while.

    `fingerprint` is the hash of the whole state (edges and successions included): the same state is not written twice.
    """

    __tablename__ = "organisation"

    code: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    names: Mapped[list[Any]]
    identifiers: Mapped[dict[str, Any]]
    opened: Mapped[date | None]
    closed: Mapped[date | None]
    attributes: Mapped[dict[str, Any]]
    source: Mapped[str]
    unverified: Mapped[bool]
    overrides: Mapped[dict[str, Any]]
    fingerprint: Mapped[str]
    search: Mapped[str] = mapped_column(TSVECTOR, Computed(SEARCHED, persisted=True))

    __table_args__ = (
        _one_current("organisation", "code"),
        Index("ix_organisation_code_recorded_at", "code", "recorded_at"),
        Index("ix_organisation_kind_code", "kind", "code"),
        # Without a list of pending entries, which a search would read through until the next vacuum.
        Index("ix_organisation_search", "search", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )


class Identifier(Base):
    """Another name of an organisation in some scheme (`cqc`, `ons`, ...): any identifier resolves to the code."""

    __tablename__ = "identifier"

    value: Mapped[str] = mapped_column(primary_key=True)
    scheme: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(index=True)


class Edge(Recorded, Base):
    """`parent` holds `child` in a hierarchy from `start` until the day before `end`."""

    __tablename__ = "edge"

    child: Mapped[str]
    parent: Mapped[str]
    hierarchy: Mapped[str]
    start: Mapped[date | None]
    end: Mapped[date | None]

    __table_args__ = (
        Index("ix_edge_child_parent", "child", "parent"),
        Index("ix_edge_parent_child", "parent", "child"),
    )


class Succession(Recorded, Base):
    """On a day the work of `predecessor` passed, wholly or partly, to `successor`."""

    __tablename__ = "succession"

    predecessor: Mapped[str] = mapped_column(index=True)
    successor: Mapped[str] = mapped_column(index=True)
    on: Mapped[date]
    source: Mapped[str]
    unverified: Mapped[bool]


class Entry(Recorded, Base):
    """A version of something described by a whole document: its name, its version, whose it is and its hash."""

    __abstract__ = True

    name: Mapped[str] = mapped_column(Text)
    version: Mapped[str]
    owner: Mapped[str]
    status: Mapped[str]
    document: Mapped[dict[str, Any]]
    fingerprint: Mapped[str]
    author: Mapped[str]
    checker: Mapped[str | None]

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Index, ...]:  # noqa: N805 - SQLAlchemy hands it the class
        table: str = cls.__tablename__
        return (
            _one_current(table, "name"),
            Index(f"ix_{table}_name_version", "name", "version"),
        )


class Programme(Entry):
    """A version of a programme: aims, drivers, change ideas, settings, principles."""

    __tablename__ = "programme"


class Measure(Entry):
    """A published version of a measure's definition. The document of a published version never changes."""

    __tablename__ = "measure"


class Target(Entry):
    """A version of a target."""

    __tablename__ = "target"


class Feed(Entry):
    """A published version of a feed's specification, code lists included."""

    __tablename__ = "feed"


class Draft(Base):
    """The definition of a measure that is being worked on; `revision` counts its changes, `authors` made them."""

    __tablename__ = "draft"

    measure: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    document: Mapped[dict[str, Any]]
    authors: Mapped[list[Any]]
    revision: Mapped[int]
    changed_at: Mapped[datetime]

    def shown(self) -> dict[str, Any]:
        """The definition with the state of the draft."""
        state = {"organisation": self.owner, **_values(self, ("authors", "revision", "changed_at"))}
        return {**self.document, "id": self.measure, "status": "draft", **state}


class Enrolment(Recorded, Base):
    """What was known of an organisation's part in a programme or change idea: its stage since a day.

    The rows of one enrolment, the superseded too, are the steps that adoption curves are made of.
    """

    __tablename__ = "enrolment"

    enrolment: Mapped[str]
    organisation: Mapped[str] = mapped_column(index=True)
    programme: Mapped[str]
    change_idea: Mapped[str | None]
    stage: Mapped[str]
    since: Mapped[date]
    until: Mapped[date | None]
    author: Mapped[str]

    def shown(self) -> dict[str, Any]:
        """The enrolment as it is shown and audited."""
        names = ("organisation", "programme", "change_idea", "stage", "since", "until", "recorded_at")
        return {"id": self.enrolment, **_values(self, names), "recorded_by": self.author}

    __table_args__ = (
        _one_current("enrolment", "enrolment"),
        Index(
            "uq_enrolment_subject",
            "organisation",
            "programme",
            text("coalesce(change_idea, '')"),
            unique=True,
            postgresql_where=text("superseded_at is null and until is null"),
        ),
        Index("ix_enrolment_programme", "programme", "change_idea"),
    )


class Annotation(Recorded, Base):
    """Something to draw on charts: `status` is `proposed`, `accepted` or `withdrawn`."""

    __tablename__ = "annotation"

    annotation: Mapped[str]
    kind: Mapped[str]
    organisation: Mapped[str] = mapped_column(index=True)
    measure: Mapped[str | None]
    on: Mapped[date]
    text: Mapped[str]
    evidence: Mapped[str | None]
    status: Mapped[str]
    reason: Mapped[str | None]
    author: Mapped[str]
    accepted_by: Mapped[str | None]

    def shown(self) -> dict[str, Any]:
        """The annotation as it is shown and audited."""
        names = ("kind", "organisation", "measure", "on", "text", "evidence", "status", "reason", "accepted_by")
        whole = _values(self, (*names, "recorded_at"))
        return {"id": self.annotation, **whole, "recorded_by": self.author}

    __table_args__ = (_one_current("annotation", "annotation"),)


class Change(Base):
    """One line of the audit: who did what to which thing, what it was before and after, and why.

    `owner` is the organisation whose business it was. A trigger refuses to update or delete a line.
    """

    __tablename__ = "change"

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str]
    action: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    owner: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    why: Mapped[str | None]
    request_id: Mapped[str | None]

    __table_args__ = (
        Index("ix_change_kind_subject_position", "kind", "subject", "position"),
        Index("ix_change_kind_position", "kind", "position"),
        Index("ix_change_kind_at", "kind", "at"),
    )


class Answer(FirstAnswer, Base):
    """What a request with an `Idempotency-Key` was answered: the same request again gets the same."""

    __tablename__ = "answer"


class Load(Base):
    """A catalogue that was loaded, by the hash of its content: the same content is not loaded twice.

    `said` has the hash of what it said of each thing: what it says as before is not said again over what was
    learned since.
    """

    __tablename__ = "catalogue_load"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    said: Mapped[dict[str, Any]]
    loaded_at: Mapped[datetime]
