"""Adopting what the registry published. A definition or a feed that is new moves every figure it touches."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.measures.commands import aggregates, signals
from services.measures.commands.cells import latest_change, recompute_measures
from services.measures.models import Annotation, Cell, Definition, Edge, Feed, Organisation, Succession, Target
from services.measures.queries.definitions import definitions_of
from services.measures.rules.feeds import COUNTED
from shared.contracts.programmes import (
    AnnotationSet,
    FeedPublished,
    MeasurePublished,
    OrganisationChanged,
    TargetSet,
)
from shared.db import Recorded, driver, now


def adopt_feeds(session: Session, events: Sequence[FeedPublished]) -> None:
    """Keep the feeds; returns that came before their feed now become figures."""
    statement = insert(Feed).values([
        {"feed": e.feed, "version": e.version, "spec": e.spec, "published_at": e.published_at}
        for e in {(event.feed, event.version): event for event in events}.values()
    ])  # fmt: skip
    fresh = {name: statement.excluded[name] for name in ("spec", "published_at")}
    session.execute(statement.on_conflict_do_update(index_elements=["feed", "version"], set_=fresh))
    new = {event.feed for event in events}
    using = [
        measure
        for measure, definition in session.execute(
            select(Definition.measure, Definition.definition).where(Definition.status == "live", Definition.known(None))
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
                Definition.measure.in_(newest), Definition.status == "live", Definition.known(None)
            )
        )
    }
    _record(session, Definition, "measure", {
        e.measure: Said(e.published_at, [{"version": e.version, "status": e.status, "definition": e.definition}])
        for e in newest.values()
    })  # fmt: skip
    recompute_measures(session, [e.measure for e in newest.values() if before.get(e.measure) != e.definition])


def adopt_organisations(session: Session, events: Sequence[OrganisationChanged]) -> None:
    """Keep the organisations with the edges and successions that are known of each."""
    newest = {event.code: event for event in events}.values()
    _record(session, Organisation, "code", {
        e.code: Said(e.recorded_at, [
            {"name": e.name, "kind": e.kind, "identifiers": e.identifiers, "opened": e.opened, "closed": e.closed}
        ])
        for e in newest
    })  # fmt: skip
    moved = _record(session, Edge, "child", {
        e.code: Said(e.recorded_at, [
            {"parent": edge.parent, "hierarchy": edge.hierarchy, "start": edge.start, "end": edge.end,
             "recorded_at": edge.recorded_at or e.recorded_at}
            for edge in e.edges if edge.superseded_at is None
        ])
        for e in newest
    })  # fmt: skip
    _record(session, Succession, "code", {
        e.code: Said(e.recorded_at, [{"successor": one.successor, "on": one.on} for one in e.successions])
        for e in newest
    })  # fmt: skip
    aggregates.note_moved(session, dict.fromkeys(_parents_with_figures(session, moved), ()))


def _parents_with_figures(session: Session, moved: set[str]) -> Iterable[str]:
    """What these lie within, or were said to, if there are figures of them."""
    figures = exists().where(Cell.organisation == Edge.child, Cell.known_to.is_(None))
    return session.scalars(select(Edge.parent).where(Edge.child.in_(moved), figures).distinct()) if moved else ()


def adopt_targets(session: Session, events: Sequence[TargetSet]) -> None:
    """Keep the targets."""
    _record(session, Target, "name", {
        e.id: Said(e.set_at, [
            {"measure": str(e.target.get("measure", "")), "version": e.version, "target": e.target}
        ])
        for e in events
    })  # fmt: skip


def adopt_annotations(session: Session, events: Sequence[AnnotationSet]) -> None:
    """Keep the annotations, and let go of those that were withdrawn."""
    newest = {event.id: event for event in events}
    _record(session, Annotation, "name", {
        e.id: Said(e.set_at, [] if e.withdrawn else [
            {"kind": e.kind, "organisation": e.organisation, "measure": e.measure, "on": e.on, "text": e.text}
        ])
        for e in newest.values()
    })  # fmt: skip
    cut = [event for event in newest.values() if event.kind == "step_change"]
    if cut:
        _judge_again(session, cut)


def _judge_again(session: Session, cut: Sequence[AnnotationSet]) -> None:
    """A step change begins a new segment, which may end a signal."""
    known = definitions_of(session)
    everything = any(event.measure is None for event in cut)
    measures = set(known) if everything else {event.measure for event in cut if event.measure}
    aggregates.note_moved(session, {code: [] if everything else measures for code in {one.organisation for one in cut}})
    change, places = latest_change(session), {event.organisation for event in cut}
    signals.judge(session, known, measures, places, change=change, instant=now())


class Said(NamedTuple):
    """What the registry said of something, and when: its rows, without whose they are.

    A row may say its own `recorded_at`.
    """

    at: datetime
    rows: Sequence[dict[str, Any]]


def _record(session: Session, table: type[Recorded], owner: str, said: Mapping[str, Said]) -> set[str]:
    """Make these what is known of each owner: what is said again stays, what is not ends then, what is new begins.

    Gives the owners of whom anything changed.
    """
    columns = table.__table__.columns  # type: ignore[attr-defined]
    content = [name for name in columns.keys() if name not in {*_OF_EVERY_ROW, owner}]  # noqa: SIM118
    known = select(*columns).where(table.known(None), columns[owner].in_(said))
    before: dict[str, dict[bytes, int]] = defaultdict(dict)
    for row in session.execute(known).mappings():
        before[row[owner]][_content(row, content)] = row["id"]
    ended, begun, changed = [], [], set()
    for one, (at, rows) in said.items():
        wanted = {_content(row, content): row for row in rows}
        if wanted.keys() != before[one].keys():
            changed.add(one)
        ended += [(number, at) for key, number in before[one].items() if key not in wanted]
        begun += [{owner: one, "recorded_at": at, **row} for key, row in wanted.items() if key not in before[one]]
    if ended:
        driver(session).execute(
            f"update {table.__tablename__} known set superseded_at = ended.at "  # type: ignore[attr-defined]  # noqa: S608 - a table of ours
            "from unnest(%s::bigint[], %s::timestamptz[]) as ended(id, at) where known.id = ended.id",
            tuple(map(list, zip(*ended, strict=True))),
        )
    if begun:
        session.execute(insert(table), begun)
    return changed


_OF_EVERY_ROW = frozenset({"id", "recorded_at", "superseded_at"})


def _content(row: Mapping[Any, Any], names: Sequence[str]) -> bytes:
    return orjson.dumps([row[name] for name in names], option=orjson.OPT_SORT_KEYS)


def _feeds_of(definition: dict[str, Any]) -> set[str]:
    halves = [definition.get("numerator"), definition.get("denominator")]
    return {half["feed"] for half in halves if half} | {COUNTED}
