"""Versioned documents - programmes, measures, targets, feeds: a version is written once and superseded, not altered."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.programmes.commands.audit import Act, Line, record
from services.programmes.models import Entry, Feed, Measure, Programme, Target
from services.programmes.problems import PublishedOtherwise
from services.programmes.rules.versions import is_later
from shared.contracts.event import Event
from shared.contracts.programmes import FeedPublished, MeasurePublished, ProgrammePublished, TargetSet
from shared.messaging.outbox import publish

SOURCE = "programmes"


@dataclass(frozen=True, slots=True)
class Version:
    """A version to be written: the whole document, whose it is, its state, who made and who checked it."""

    name: str
    version: str
    document: Mapping[str, Any]
    owner: str
    status: str = "live"
    author: str = ""
    checker: str | None = None

    @property
    def fingerprint(self) -> str:
        """The hash of everything that is shown: a version with the same fingerprint says nothing new."""
        return fingerprint({"document": self.document, "version": self.version, "status": self.status})


def fingerprint(content: Any) -> str:
    """The SHA-256 of a JSON-able value, independent of the order of its keys."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def write(session: Session, table: type[Entry], versions: Sequence[Version], act: Act) -> int:
    """Make these the current versions, skipping those that say nothing new or are older; how many were written.

    Each is audited and published. Raises PublishedOtherwise when a version of a measure or feed that was published
    comes with another content: what was published never changes.
    """
    known = _current(session, table, [one.name for one in versions])
    fresh = [one for one in versions if one.name not in known or _says_more(one, known[one.name])]
    for one in fresh:
        _refuse_rewriting(session, table, one)
    replaced = [known[one.name].id for one in fresh if one.name in known]
    if replaced:
        session.execute(update(table).where(table.id.in_(replaced)).values(superseded_at=act.at))
    session.add_all(_row(table, one, act) for one in fresh)
    record(session, act, (_line(table, one, known.get(one.name)) for one in fresh))
    publish(session, (EVENTS[table](one, act.at) for one in fresh), source=SOURCE)
    return len(fresh)


def _says_more(one: Version, current: Entry) -> bool:
    return current.fingerprint != one.fingerprint and not is_later(current.version, than=one.version)


def _current(session: Session, table: type[Entry], names: Sequence[str]) -> dict[str, Entry]:
    rows = session.scalars(select(table).where(table.known(None), table.name.in_(names)).with_for_update())
    return {row.name: row for row in rows}


def _refuse_rewriting(session: Session, table: type[Entry], one: Version) -> None:
    if table not in (Measure, Feed):
        return
    before = session.scalars(select(table).where(table.name == one.name, table.version == one.version)).first()
    if before is not None and fingerprint(before.document) != fingerprint(one.document):
        raise PublishedOtherwise(
            f"{one.name} {one.version} was published on {before.recorded_at:%d %B %Y} with another content: "
            "give the new content a new version"
        )


def _row(table: type[Entry], one: Version, act: Act) -> Entry:
    return table(
        name=one.name,
        version=one.version,
        owner=one.owner,
        status=one.status,
        document=dict(one.document),
        fingerprint=one.fingerprint,
        author=one.author or act.who,
        checker=one.checker,
        recorded_at=act.at,
    )


def _line(table: type[Entry], one: Version, before: Entry | None) -> Line:
    action = "registered" if before is None else "retired" if one.status == "retired" else "revised"
    return Line(action, table.__tablename__, one.name, one.owner, before.document if before else None, one.document)


def _feed(one: Version, at: datetime) -> Event:
    return FeedPublished(feed=one.name, version=one.version, spec=dict(one.document), published_at=at)


def _measure(one: Version, at: datetime) -> Event:
    status: Any = one.status
    return MeasurePublished(
        measure=one.name, version=one.version, status=status, definition=dict(one.document), published_at=at
    )


def _programme(one: Version, at: datetime) -> Event:
    return ProgrammePublished(id=one.name, version=one.version, programme=dict(one.document), published_at=at)


def _target(one: Version, at: datetime) -> Event:
    return TargetSet(id=one.name, version=one.version, target=dict(one.document), set_at=at)


EVENTS: Mapping[type[Entry], Callable[[Version, datetime], Event]] = {
    Feed: _feed,
    Measure: _measure,
    Programme: _programme,
    Target: _target,
}
"""What is published when a version is written."""
