"""What an answer is true of: the last change it takes in, and when that was made."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.programmes.models import Change


def stamp(
    session: Session, kind: str | None = None, subject: str | None = None, *, known_at: datetime | None = None
) -> dict[str, Any]:
    """`as_of` and `data_version` of an answer about one subject, a kind of thing, or all of the registry.

    `data_version` is the position of the last change (`/v1/changes`) and `as_of` its instant, or the instant that was
    asked for; both are null and 0 while there has been no change.
    """
    query = select(Change.position, Change.at).order_by(Change.position.desc()).limit(1)
    if kind is not None:
        query = query.where(Change.kind == kind)
    if subject is not None:
        query = query.where(Change.subject == subject)
    if known_at is not None:
        query = query.where(Change.at <= known_at)
    last = session.execute(query).one_or_none()
    position, at = last if last is not None else (0, None)
    return {"as_of": known_at or at, "data_version": position}
