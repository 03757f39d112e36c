"""The organisations as one value in memory: who lies within whom, at any date and as known at any instant.

Seventy thousand organisations are a few dozen megabytes and change seldom, so each process keeps them and asks the
database only whether anything has changed since.
"""

import threading
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.programmes.models import Change, Edge, Organisation, Succession, among
from services.programmes.rules import organisations as rules
from shared.contracts import programmes as contract

_PASTS_KEPT = 4


class Hierarchy:
    """The organisations as known at one moment; answers are remembered as long as it is."""

    def __init__(self, organisations: Iterable[rules.Organisation], *, known_at: datetime | None = None) -> None:
        self.organisations = rules.Organisations(organisations, known_at=known_at)
        self.members = lru_cache(maxsize=256)(self._members)
        self._within = lru_cache(maxsize=64)(self.organisations.members)
        self.above = lru_cache(maxsize=65_536)(self._above)

    def code_of(self, identifier: str) -> str | None:
        """The code behind any identifier; None if unknown."""
        return self.organisations.code_of(identifier)

    def lies_within(self, code: str, others: Iterable[str], at: date) -> bool:
        """Whether the organisation is one of the others, or lay within one of them on that day."""
        wanted = frozenset(others)
        return code in wanted or not wanted.isdisjoint(self.above(code, at))

    def _above(self, code: str, at: date) -> frozenset[str]:
        return self.organisations.above(code, at)

    def _members(self, code: str, at: date, kind: str | None = None, hierarchy: str | None = None) -> tuple[str, ...]:
        codes = self._within(code, at, hierarchy=hierarchy)
        return codes if kind is None else tuple(one for one in codes if self.organisations.by_code[one].kind == kind)


class Hierarchies:
    """What one process remembers of the organisations. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = -1
        self._now = Hierarchy(())
        self._pasts: dict[datetime | None, Hierarchy] = {}

    def known(self, session: Session, at: datetime | None = None) -> Hierarchy:
        """The hierarchy as it is known now, or was at an instant; asked before the session writes organisations."""
        version = _version(session)
        with self._lock:
            if version != self._version:
                self._now = Hierarchy(_changed(session, self._now.organisations.by_code, since=self._version))
                self._version = version
                self._pasts.clear()
            if at is None or (last := _last_change(session, at)) == _last_change(session):
                return self._now
            if last not in self._pasts:
                if len(self._pasts) >= _PASTS_KEPT:
                    self._pasts.pop(next(iter(self._pasts)))
                self._pasts[last] = Hierarchy(read(session, known_at=at), known_at=at)
            return self._pasts[last]

    def beside(self, session: Session) -> Hierarchy:
        """The hierarchy with what this transaction has written, of which nobody else may be told before its end."""
        with self._lock:
            known, version = self._now, self._version
        return Hierarchy(_changed(session, known.organisations.by_code, since=version))


def _version(session: Session) -> int:
    query = select(func.max(Change.position)).where(Change.kind == Organisation.__tablename__)
    return session.execute(query).scalar_one() or 0


def _last_change(session: Session, at: datetime | None = None) -> datetime | None:
    """When the organisations last changed, up to an instant: between two changes every instant knew the same."""
    query = select(func.max(Change.at)).where(Change.kind == Organisation.__tablename__)
    return session.execute(query if at is None else query.where(Change.at <= at)).scalar_one()


def _changed(
    session: Session, before: dict[str, rules.Organisation] | Any, *, since: int
) -> Iterable[rules.Organisation]:
    if since < 0:
        return read(session)
    query = select(Change.subject).where(Change.kind == Organisation.__tablename__, Change.position > since).distinct()
    codes = set(session.scalars(query))
    return (dict(before) | {one.code: one for one in read(session, codes=codes)}).values()


def read(
    session: Session, *, codes: Iterable[str] | None = None, known_at: datetime | None = None, whole: bool = False
) -> list[rules.Organisation]:
    """The organisations with their edges and successions, all or some, now or as known at an instant.

    `whole` reads their attributes and provenance too, which questions about who lies where do without.
    """
    columns = _WHOLE if whole else _ORGANISATION
    edges: dict[str, list[contract.Edge]] = {}
    for child, *facts in session.execute(_edges(codes, known_at)):
        edges.setdefault(child, []).append(contract.Edge(**dict(zip(_EDGE, facts, strict=True))))
    successions: dict[str, list[contract.Succession]] = {}
    for predecessor, *facts in session.execute(_successions(codes, known_at)):
        one = contract.Succession(**dict(zip(_SUCCESSION, facts, strict=True)))
        successions.setdefault(predecessor, []).append(one)
    return [
        rules.Organisation(
            **dict(zip(columns, row[: len(columns)], strict=True)),
            names=msgspec.convert(row.names, tuple[contract.Name, ...]) if row.names else (),
            overrides=msgspec.convert(row.overrides, dict[str, contract.Override]) if row.overrides else {},
            edges=tuple(edges.get(row.code, ())),
            successions=tuple(successions.get(row.code, ())),
        )
        for row in session.execute(_organisations(columns, codes, known_at))
    ]


_ORGANISATION = ("code", "name", "kind", "identifiers", "opened", "closed")
_WHOLE = (*_ORGANISATION, "attributes", "source", "unverified")
_EDGE = ("parent", "hierarchy", "start", "end", "recorded_at", "superseded_at")
_SUCCESSION = ("successor", "on", "source", "unverified")


def _organisations(columns: Iterable[str], codes: Iterable[str] | None, known_at: datetime | None) -> Any:
    wanted = (getattr(Organisation, name) for name in (*columns, "names", "overrides"))
    query = select(*wanted).where(Organisation.known(known_at))
    return query if codes is None else query.where(among(Organisation.code, codes))


def _edges(codes: Iterable[str] | None, known_at: datetime | None) -> Any:
    query = select(Edge.child, *(getattr(Edge, name) for name in _EDGE)).where(Edge.known(known_at))
    return (query if codes is None else query.where(among(Edge.child, codes))).order_by(Edge.id)


def _successions(codes: Iterable[str] | None, known_at: datetime | None) -> Any:
    query = select(Succession.predecessor, *(getattr(Succession, name) for name in _SUCCESSION))
    query = query.where(Succession.known(known_at)).order_by(Succession.id)
    return query if codes is None else query.where(among(Succession.predecessor, codes))
