"""Adopting what the registry published. A definition or a feed that is new moves every figure it touches."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.measures.commands import signals
from services.measures.commands.cells import latest_change, recompute_measures
from services.measures.models import Annotation, Base, Definition, Edge, Feed, Organisation, Succession, Target
from services.measures.queries.definitions import definitions_of
from services.measures.rules.feeds import COUNTED
from shared.contracts.programmes import (
    AnnotationSet,
    FeedPublished,
    MeasurePublished,
    OrganisationChanged,
    TargetSet,
)
from shared.db import now


def adopt_feeds(session: Session, events: Sequence[FeedPublished]) -> None:
    """Keep the feeds; returns that came before their feed now become figures."""
    _keep(session, Feed, [
        {"feed": e.feed, "version": e.version, "spec": e.spec, "published_at": e.published_at} for e in events
    ])  # fmt: skip
    new = {event.feed for event in events}
    using = [
        measure
        for measure, definition in session.execute(
            select(Definition.measure, Definition.definition).where(Definition.status == "live")
        )
        if new & _feeds_of(definition)
    ]
    recompute_measures(session, using)


def adopt_measures(session: Session, events: Sequence[MeasurePublished]) -> None:
    """Keep the definitions and recompute the measures whose live version is another than before."""
    newest = {event.measure: event for event in events}
    before = {
        one.measure: one.definition
        for one in session.execute(
            select(Definition.measure, Definition.definition).where(
                Definition.measure.in_(newest), Definition.status == "live"
            )
        )
    }
    session.execute(delete(Definition).where(Definition.measure.in_(newest)))
    _keep(session, Definition, [
        {
            "measure": e.measure, "version": e.version, "status": e.status, "definition": e.definition,
            "published_at": e.published_at,
        }
        for e in newest.values()
    ])  # fmt: skip
    recompute_measures(session, [e.measure for e in newest.values() if before.get(e.measure) != e.definition])


def adopt_organisations(session: Session, events: Sequence[OrganisationChanged]) -> None:
    """Keep the organisations with the edges and successions that are known of each."""
    newest = {event.code: event for event in events}
    _keep(session, Organisation, [
        {
            "code": e.code, "name": e.name, "kind": e.kind, "identifiers": e.identifiers, "opened": e.opened,
            "closed": e.closed, "recorded_at": e.recorded_at,
        }
        for e in newest.values()
    ])  # fmt: skip
    session.execute(delete(Edge).where(Edge.child.in_(newest)))
    session.execute(delete(Succession).where(Succession.code.in_(newest)))
    _keep(session, Edge, [
        {
            "child": e.code, "parent": edge.parent, "hierarchy": edge.hierarchy, "start": edge.start,
            "end": edge.end, "recorded_at": edge.recorded_at, "superseded_at": edge.superseded_at,
        }
        for e in newest.values() for edge in e.edges
    ])  # fmt: skip
    _keep(session, Succession, [
        {"code": e.code, "successor": one.successor, "on": one.on}
        for e in newest.values() for one in e.successions
    ])  # fmt: skip


def adopt_targets(session: Session, events: Sequence[TargetSet]) -> None:
    """Keep the targets."""
    _keep(session, Target, [
        {"id": e.id, "measure": str(e.target.get("measure", "")), "version": e.version, "target": e.target,
         "set_at": e.set_at}
        for e in {event.id: event for event in events}.values()
    ])  # fmt: skip


def adopt_annotations(session: Session, events: Sequence[AnnotationSet]) -> None:
    """Keep the annotations, and let go of those that were withdrawn."""
    newest = {event.id: event for event in events}
    session.execute(delete(Annotation).where(Annotation.id.in_(newest)))
    _keep(session, Annotation, [
        {"id": e.id, "kind": e.kind, "organisation": e.organisation, "measure": e.measure, "on": e.on,
         "text": e.text, "set_at": e.set_at}
        for e in newest.values() if not e.withdrawn
    ])  # fmt: skip
    cut = [event for event in newest.values() if event.kind == "step_change"]
    if cut:
        _judge_again(session, cut)


def _judge_again(session: Session, cut: Sequence[AnnotationSet]) -> None:
    """A step change begins a new segment, which may end a signal."""
    known = definitions_of(session)
    everything = any(event.measure is None for event in cut)
    measures = set(known) if everything else {event.measure for event in cut if event.measure}
    change, places = latest_change(session), {event.organisation for event in cut}
    signals.judge(session, known, measures, places, change=change, instant=now())


def _keep(session: Session, table: type[Base], rows: Iterable[dict[str, Any]]) -> None:
    """Insert the rows, or replace those that have the same key."""
    values = list(rows)
    if not values:
        return
    statement = insert(table)
    keys = [column.name for column in table.__table__.primary_key]
    changed = {name: statement.excluded[name] for name in values[0] if name not in keys}
    if changed and set(keys) <= set(values[0]):
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    elif set(keys) <= set(values[0]):
        statement = statement.on_conflict_do_nothing()
    session.execute(statement, values)


def _feeds_of(definition: dict[str, Any]) -> set[str]:
    halves = [definition.get("numerator"), definition.get("denominator")]
    return {half["feed"] for half in halves if half} | {COUNTED}
