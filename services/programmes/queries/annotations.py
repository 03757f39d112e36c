"""What is drawn on charts, as far as the caller may see it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.programmes.footprint import Footprint
from services.programmes.models import Annotation, among
from services.programmes.problems import UnknownAnnotation
from services.programmes.queries.stamps import stamp

KIND = Annotation.__tablename__


def listed(
    session: Session,
    seen_by: Footprint,
    *,
    after: str | None,
    limit: int,
    first: date | None = None,
    last: date | None = None,
    known_at: datetime | None = None,
    **filters: str | None,
) -> list[dict[str, Any]]:
    """The annotations the caller may see, in order of their id, from `after` on: one more than `limit`.

    `first` and `last` bound the day; `filters` are columns. The withdrawn are left out unless `status` asks for them.
    """
    query = select(Annotation).where(Annotation.known(known_at)).order_by(Annotation.annotation).limit(limit + 1)
    for name, wanted in filters.items():
        if wanted is not None:
            query = query.where(getattr(Annotation, name) == wanted)
    if filters.get("status") is None:
        query = query.where(Annotation.status != "withdrawn")
    if first is not None:
        query = query.where(Annotation.on >= first)
    if last is not None:
        query = query.where(Annotation.on <= last)
    if after is not None:
        query = query.where(Annotation.annotation > after)
    seen = seen_by.seen()
    if seen is not None:
        query = query.where(among(Annotation.organisation, seen))
    return [row.shown() for row in session.scalars(query)]


def one(session: Session, seen_by: Footprint, annotation: str, *, known_at: datetime | None = None) -> dict[str, Any]:
    """One annotation. Raises UnknownAnnotation, also for one the caller may not see."""
    query = select(Annotation).where(Annotation.known(known_at), Annotation.annotation == annotation)
    row = session.scalars(query).one_or_none()
    if row is None or not seen_by.sees(row.organisation):
        raise UnknownAnnotation
    return row.shown() | stamp(session, KIND, annotation, known_at=known_at)
