"""Returns and their versions: who has said what, when, and which version is current."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from services.ingest.models import Return, ReturnVersion


def versions(
    session: Session,
    *,
    feed: str | None,
    organisations: Sequence[str] | None,
    period: str | None,
    after: Sequence[Any] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Versions in order of feed, organisation, period and version; `organisations` None means every one."""
    key = (ReturnVersion.feed, ReturnVersion.organisation, ReturnVersion.period, ReturnVersion.version)
    query = (
        select(ReturnVersion, (Return.current_id == ReturnVersion.id).label("current"))
        .join(
            Return,
            (Return.feed == ReturnVersion.feed)
            & (Return.organisation == ReturnVersion.organisation)
            & (Return.period == ReturnVersion.period),
        )
        .order_by(*key)
        .limit(limit + 1)
    )
    if feed is not None:
        query = query.where(ReturnVersion.feed == feed)
    if organisations is not None:
        query = query.where(ReturnVersion.organisation.in_(organisations))
    if period is not None:
        query = query.where(ReturnVersion.period == period)
    if after is not None:
        query = query.where(tuple_(*key) > tuple(after))
    return [_shown(version, current=bool(current)) for version, current in session.execute(query)]


def _shown(one: ReturnVersion, *, current: bool) -> dict[str, Any]:
    return {
        "id": one.id,
        "feed": one.feed,
        "organisation": one.organisation,
        "period": one.period,
        "version": one.version,
        "current": current,
        "status": one.status,
        "kind": one.kind,
        "rows": one.row_count,
        "submission": one.submission_id,
        "extracted_at": one.extracted_at,
        "received_at": one.received_at,
        "withdrawn_at": one.withdrawn_at,
    }
