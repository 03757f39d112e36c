"""Programmes, measures, targets and feeds as they are shown: the document, with what the registry knows about it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from services.programmes.models import Entry, Feed, Measure, Programme, Target
from services.programmes.problems import UnknownFeed, UnknownMeasure, UnknownProgramme, UnknownTarget
from services.programmes.queries.stamps import stamp
from services.programmes.rules.documents import differences
from shared.problems import Problem

UNKNOWN: Mapping[type[Entry], type[Problem]] = {
    Programme: UnknownProgramme,
    Measure: UnknownMeasure,
    Target: UnknownTarget,
    Feed: UnknownFeed,
}
"""The problem of asking for one that does not exist."""


def listed(
    session: Session,
    table: type[Entry],
    *,
    after: str | None,
    limit: int,
    known_at: datetime | None = None,
    **filters: str | None,
) -> list[dict[str, Any]]:
    """The current entries in order of their id, from `after` on: one more than `limit`.

    `filters` compare fields of the document, or `status` and `organisation`; None lets everything through.
    """
    query = select(table).where(table.known(known_at)).order_by(table.name).limit(limit + 1)
    if after is not None:
        query = query.where(table.name > after)
    for name, wanted in filters.items():
        if wanted is not None:
            query = query.where(_compared(table, name) == wanted)
    return [shown(row) for row in session.scalars(query)]


def _compared(table: type[Entry], name: str) -> ColumnElement[str]:
    columns: dict[str, ColumnElement[str]] = {"status": table.status.expression, "organisation": table.owner.expression}
    field: ColumnElement[str] = table.document[name].astext
    return columns.get(name, field)


def found(
    session: Session, table: type[Entry], name: str, *, version: str | None = None, known_at: datetime | None = None
) -> Entry:
    """The current entry of that id, or the one of a version. Raises the table's problem when there is none."""
    query = select(table).where(table.name == name)
    if version is None:
        query = query.where(table.known(known_at))
    else:
        query = query.where(table.version == version).order_by(table.id.desc()).limit(1)
    row = session.scalars(query).one_or_none()
    if row is None:
        what = f"{table.__tablename__} {name!r}" + (f" in version {version!r}" if version else "")
        raise UNKNOWN[table](f"there is no {what}; /v1/{table.__tablename__}s lists what there is")
    return row


def one(
    session: Session, table: type[Entry], name: str, *, version: str | None = None, known_at: datetime | None = None
) -> dict[str, Any]:
    """One entry as it is shown, with the change that last touched it."""
    row = found(session, table, name, version=version, known_at=known_at)
    return shown(row) | stamp(session, table.__tablename__, row.name, known_at=known_at)


def programme(session: Session, name: str, *, known_at: datetime | None = None) -> dict[str, Any]:
    """A programme as it is shown, with the ids of the measures and targets that name it."""
    shown_one = one(session, Programme, name, known_at=known_at)
    return shown_one | {
        "measures": _ids_of(session, Measure, name, known_at),
        "targets": _ids_of(session, Target, name, known_at),
    }


def _ids_of(session: Session, table: type[Entry], programme: str, known_at: datetime | None) -> list[str]:
    query = select(table.name).where(table.known(known_at), table.document["programme"].astext == programme)
    return list(session.scalars(query.order_by(table.name)))


def versions(session: Session, table: type[Entry], name: str) -> list[dict[str, Any]]:
    """Every version of an entry, newest first, with what it changed of the one before (none, if only its state).

    Raises the table's problem when there is none.
    """
    query = select(table).where(table.name == name).order_by(table.id.desc())
    rows: Sequence[Entry] = session.scalars(query).all()
    if not rows:
        found(session, table, name)
    earlier = (*rows[1:], None)
    return [shown(row) | _change(before, row) for row, before in zip(rows, earlier, strict=True)]


def _change(before: Entry | None, row: Entry) -> dict[str, Any]:
    if before is None:
        return {"changed_from": None, "changes": []}
    return {"changed_from": before.version, "changes": differences(before.document, row.document)}


def shown(row: Entry) -> dict[str, Any]:
    """The document with its id, version, state and provenance."""
    return {
        **row.document,
        "id": row.name,
        "version": row.version,
        "status": row.status,
        "organisation": row.owner,
        "recorded_at": row.recorded_at,
        "superseded_at": row.superseded_at,
        "recorded_by": row.author,
        "checked_by": row.checker,
        "unverified": bool(row.document.get("unverified", False)),
    }
