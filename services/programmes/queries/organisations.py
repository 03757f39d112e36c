"""Organisations as they are shown: one, a page of them, and who stands around one of them."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from services.programmes.hierarchy import Hierarchy
from services.programmes.models import Edge, Organisation, Succession, among
from services.programmes.problems import UnknownOrganisation
from services.programmes.queries.stamps import stamp
from services.programmes.rules import organisations as rules

KIND = Organisation.__tablename__
MOST_MEMBERS = 1000


def code_of(hierarchy: Hierarchy, identifier: str) -> str:
    """The code behind any identifier. Raises UnknownOrganisation."""
    code = hierarchy.code_of(identifier)
    if code is None:
        raise UnknownOrganisation(f"no organisation has the code or identifier {identifier!r}")
    return code


_SHOWN = ("provider", "group", "peer", "icb", "system", "psc", "region")


def one(
    session: Session, hierarchy: Hierarchy, identifier: str, *, at: date, known_at: datetime | None = None
) -> dict[str, Any]:
    """One organisation by any identifier: every edge and succession with its dates, and who held it on the day."""
    code = code_of(hierarchy, identifier)
    row = session.scalars(select(Organisation).where(Organisation.known(known_at), Organisation.code == code)).one()
    edges = select(Edge).where(Edge.known(known_at), Edge.child == code).order_by(Edge.hierarchy, Edge.start, Edge.id)
    within = {step: hierarchy.organisations.parent(code, step, at) for step in _SHOWN}
    if within["system"] == within["icb"]:
        del within["system"]
    return {
        **shown(row, at),
        "at": at,
        "within": {step: parent for step, parent in within.items() if parent is not None},
        "edges": [_edge(edge) for edge in session.scalars(edges)],
        "successors": _successions(session, Succession.predecessor == code, known_at),
        "predecessors": _successions(session, Succession.successor == code, known_at),
        **stamp(session, KIND, code, known_at=known_at),
    }


def around(
    session: Session, hierarchy: Hierarchy, code: str, *, at: date, known_at: datetime | None = None
) -> dict[str, Any]:
    """Who holds an organisation on a day, what lies within it, and who stands for it: one answer for all three."""
    members = hierarchy.members(code, at)
    known = hierarchy.organisations
    return {
        "ancestors": ancestors(session, hierarchy, code, at=at, known_at=known_at),
        "members": [_lying(known.by_code[one], at) for one in members[:MOST_MEMBERS]],
        "members_total": len(members),
        "standing_for": [_lying(known.by_code[one], at) for one in known.standing_for(code, at)],
    }


def _lying(one: rules.Organisation, at: date) -> dict[str, Any]:
    return {"code": one.code, "name": one.called(at), "kind": one.kind}


def listed(
    session: Session,
    hierarchy: Hierarchy,
    *,
    at: date,
    after: str | None,
    limit: int,
    kind: str | None = None,
    within: str | None = None,
    step: str | None = None,
    q: str | None = None,
    known_at: datetime | None = None,
) -> list[dict[str, Any]]:
    """The organisations open on the day in order of their code, from `after` on: one more than `limit`.

    `within` (any identifier) keeps to those that lay within one on the day (by the hierarchy `step`, if that is not
    the one it stands at the top of), `q` to those whose name or code holds
    words that begin so, or that have it as an identifier.
    """
    if within is not None:
        codes = hierarchy.members(code_of(hierarchy, within), at, kind, step)
        if q is None:
            first = bisect_right(codes, after) if after is not None else 0
            return _rows(session, codes[first : first + limit + 1], at, known_at)
    query = select(Organisation).where(Organisation.known(known_at), *_open(at))
    if within is not None:
        query = query.where(among(Organisation.code, codes))
    if kind is not None:
        query = query.where(Organisation.kind == kind)
    if after is not None:
        query = query.where(Organisation.code > after)
    if q is not None:
        query = query.where(_matches(hierarchy, q))
    return [shown(row, at) for row in session.scalars(query.order_by(Organisation.code).limit(limit + 1))]


def ancestors(
    session: Session, hierarchy: Hierarchy, identifier: str, *, at: date, known_at: datetime | None = None
) -> list[dict[str, Any]]:
    """Everything above an organisation on the day, nearest first, each with the hierarchy it holds it in."""
    steps = hierarchy.organisations.ancestors(code_of(hierarchy, identifier), at)
    rows = {row["code"]: row for row in _rows(session, [code for _, code in steps], at, known_at)}
    return [{"hierarchy": step, **rows[code]} for step, code in steps if code in rows]


def successors(
    session: Session, hierarchy: Hierarchy, identifier: str, *, at: date, known_at: datetime | None = None
) -> dict[str, Any]:
    """Where an organisation's work went: each step, and who stands for it on the day (more than one is a split)."""
    code = code_of(hierarchy, identifier)
    standing = hierarchy.organisations.standing_for(code, at)
    return {
        "items": _successions(session, Succession.predecessor == code, known_at),
        "standing_for": _rows(session, standing, at, known_at),
        "at": at,
        **stamp(session, KIND, code, known_at=known_at),
    }


def shown(row: Organisation, at: date) -> dict[str, Any]:
    """An organisation with its identifiers and provenance, as it was called on the day and whether it was open."""
    return {
        "code": row.code,
        "name": _called(row, at),
        "names": row.names,
        "kind": row.kind,
        "identifiers": row.identifiers,
        "opened": row.opened,
        "closed": row.closed,
        "open": (row.opened is None or row.opened <= at) and (row.closed is None or at <= row.closed),
        "attributes": row.attributes,
        "source": row.source,
        "unverified": row.unverified,
        "overrides": row.overrides,
        "recorded_at": row.recorded_at,
    }


def _called(row: Organisation, at: date) -> str:
    day = at.isoformat()
    held = (one for one in row.names if (one["start"] or "") <= day and (one["end"] is None or day < one["end"]))
    return next((str(one["name"]) for one in held), row.name)


def _open(at: date) -> Sequence[Any]:
    return (
        or_(Organisation.opened.is_(None), Organisation.opened <= at),
        or_(Organisation.closed.is_(None), Organisation.closed >= at),
    )


def _matches(hierarchy: Hierarchy, q: str) -> Any:
    words = ["".join(letter for letter in word if letter.isalnum()) for word in q.split()]
    wanted = " & ".join(f"{word}:*" for word in words if word)
    named = Organisation.search.op("@@")(func.to_tsquery("simple", wanted))
    code = hierarchy.code_of(q)
    return named if code is None else or_(named, Organisation.code == code)


def _rows(session: Session, codes: Iterable[str], at: date, known_at: datetime | None) -> list[dict[str, Any]]:
    query = select(Organisation).where(Organisation.known(known_at), among(Organisation.code, codes))
    return [shown(row, at) for row in session.scalars(query.order_by(Organisation.code))]


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "parent": edge.parent,
        "hierarchy": edge.hierarchy,
        "start": edge.start,
        "end": edge.end,
        "recorded_at": edge.recorded_at,
    }


def _successions(session: Session, which: Any, known_at: datetime | None) -> list[dict[str, Any]]:
    query = select(Succession).where(and_(which, Succession.known(known_at))).order_by(Succession.on, Succession.id)
    return [
        {
            "predecessor": step.predecessor,
            "successor": step.successor,
            "on": step.on,
            "source": step.source,
            "unverified": step.unverified,
        }
        for step in session.scalars(query)
    ]
