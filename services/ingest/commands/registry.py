"""Adopting what the registry published: without it no row can be checked."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.ingest.commands.waiting import land_waiting
from services.ingest.models import Base, Feed, Measure, Organisation
from shared.contracts.programmes import FeedPublished, MeasurePublished, OrganisationChanged

_PROPORTIONS = ("percent", "proportion")


def adopt_feeds(session: Session, events: Sequence[FeedPublished]) -> None:
    """Keep the feeds; the newest version of each is the one that rows are checked against."""
    _keep(
        session,
        Feed,
        [
            {"feed": e.feed, "version": e.version, "spec": e.spec, "published_at": e.published_at}
            for e in {(event.feed, event.version): event for event in events}.values()
        ],
    )


def adopt_organisations(session: Session, events: Sequence[OrganisationChanged]) -> None:
    """Keep the organisations, and land the rows that waited for them."""
    newest = {event.code: event for event in events}
    _keep(
        session,
        Organisation,
        [
            {
                "code": e.code,
                "name": e.name,
                "kind": e.kind,
                "identifiers": e.identifiers,
                "opened": e.opened,
                "closed": e.closed,
                "successors": [one.successor for one in e.successions],
                "parents": [
                    [
                        edge.parent,
                        edge.hierarchy,
                        edge.start and edge.start.isoformat(),
                        edge.end and edge.end.isoformat(),
                    ]
                    for edge in e.edges
                    if edge.superseded_at is None
                ],
                "recorded_at": e.recorded_at,
            }
            for e in newest.values()
        ],
    )
    names = {name.upper() for e in newest.values() for name in (e.code, *e.identifiers.values())}
    land_waiting(session, names)


def adopt_measures(session: Session, events: Sequence[MeasurePublished]) -> None:
    """Keep what ingest must know of the measures, and land the rows that waited for them."""
    newest = {event.measure: event for event in events}
    _keep(
        session,
        Measure,
        [
            {
                "measure": e.measure,
                "proportion": e.definition.get("unit") in _PROPORTIONS or e.definition.get("chart") in ("p", "pp"),
                "feeds": _feeds(e.definition),
                "published_at": e.published_at,
            }
            for e in newest.values()
        ],
    )
    land_waiting(session, set(newest))


def _feeds(definition: Mapping[str, Any]) -> list[str]:
    """The feeds that a measure's numerator and denominator are made from."""
    parts = (definition.get("numerator"), definition.get("denominator"))
    return sorted({str(part["feed"]) for part in parts if part and "feed" in part})


def _keep(session: Session, table: type[Base], rows: list[dict[str, Any]]) -> None:
    statement = insert(table)
    keys = [column.name for column in table.__table__.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)
    session.execute(text("update reference_state set number = number + 1"))
