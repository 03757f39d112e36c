"""Drafts of measures, as far as the caller may see them: those of the organisations it acts for."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.programmes.footprint import Footprint
from services.programmes.models import Draft, among
from services.programmes.problems import NoDraft
from services.programmes.queries.stamps import stamp

KIND = Draft.__tablename__


def listed(
    session: Session, seen_by: Footprint, *, after: str | None, limit: int, **filters: str | None
) -> list[dict[str, Any]]:
    """The drafts in order of their measure, from `after` on: one more than `limit`; `filters` are of the document."""
    query = select(Draft).order_by(Draft.measure).limit(limit + 1)
    held = seen_by.held()
    if held is not None:
        query = query.where(among(Draft.owner, held))
    if after is not None:
        query = query.where(Draft.measure > after)
    for name, wanted in filters.items():
        if wanted is not None:
            query = query.where(Draft.document[name].astext == wanted)
    return [row.shown() for row in session.scalars(query)]


def one(session: Session, seen_by: Footprint, measure: str) -> dict[str, Any]:
    """One draft. Raises NoDraft, also for one that the caller may not see."""
    draft = one_or_none(session, seen_by, measure)
    if draft is None:
        raise NoDraft
    return draft


def one_or_none(session: Session, seen_by: Footprint, measure: str) -> dict[str, Any] | None:
    """One draft, if there is one that the caller may see."""
    row = session.get(Draft, measure)
    if row is None or not seen_by.holds(row.owner):
        return None
    return row.shown() | stamp(session, KIND, measure)
