"""The audit: who changed what, when and why."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from services.programmes.footprint import Footprint
from services.programmes.models import Change, Draft, among

DRAFT = Draft.__tablename__
"""What is still being worked on is nobody's business but of those who act for its owner."""

_SHOWN = ("position", "at", "who", "action", "kind", "subject", "before", "after", "why", "request_id")


def listed(
    session: Session,
    seen_by: Footprint,
    *,
    after: int | None,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
    newest_first: bool = False,
    **filters: str | None,
) -> list[dict[str, Any]]:
    """The changes that are the caller's business, in the order they were made: one more than `limit`.

    `filters` are `kind`, `subject`, `who` and `action`; `since` and `until` bound the instant.
    """
    order = Change.position.desc() if newest_first else Change.position
    query = select(Change).order_by(order).limit(limit + 1)
    for name, wanted in filters.items():
        if wanted is not None:
            query = query.where(getattr(Change, name) == wanted)
    if since is not None:
        query = query.where(Change.at >= since)
    if until is not None:
        query = query.where(Change.at < until)
    if after is not None:
        query = query.where(Change.position < after if newest_first else Change.position > after)
    seen, held = seen_by.seen(), seen_by.held()
    if seen is not None and held is not None:
        query = query.where(among(Change.owner, seen), or_(Change.kind != DRAFT, among(Change.owner, held)))
    return [
        {name: getattr(row, name) for name in _SHOWN} | {"organisation": row.owner} for row in session.scalars(query)
    ]
