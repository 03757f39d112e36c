"""Returns and their versions: who has said what, when, and which version is current; now, or as known at an instant."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true, tuple_
from sqlalchemy.orm import Session, aliased

from services.ingest.models import ReturnVersion

KEY = (ReturnVersion.feed, ReturnVersion.organisation, ReturnVersion.period)


def known(at: datetime | None, one: Any = ReturnVersion) -> ColumnElement[bool]:
    """Whether a version had come by then."""
    return true() if at is None else one.received_at <= at


def counts(at: datetime | None, one: Any = ReturnVersion) -> ColumnElement[bool]:
    """Whether a version had come by then and was not withdrawn."""
    stands: ColumnElement[bool] = one.withdrawn_at.is_(None)
    return stands if at is None else known(at, one) & or_(stands, one.withdrawn_at > at)


def versions(
    session: Session,
    *,
    feed: str | None,
    organisations: Collection[str] | None,
    period: str | None,
    after: Sequence[Any] | None,
    limit: int,
    at: datetime | None = None,
) -> list[dict[str, Any]]:
    """Versions in order of feed, organisation, period and version; `organisations` None means every one."""
    key = (*KEY, ReturnVersion.version)
    other = aliased(ReturnVersion)
    newest = (
        select(func.max(other.version))
        .where(*(getattr(other, column.key) == column for column in KEY), counts(at, other))
        .scalar_subquery()
    )
    chosen = _chosen(None if feed is None else [feed], organisations, period, at)
    if after is not None:
        chosen.append(tuple_(*key) > tuple(after))
    query = select(ReturnVersion, (ReturnVersion.version == newest).label("current")).where(*chosen)
    found = session.execute(query.order_by(*key).limit(limit + 1))
    return [_shown(version, current=bool(current), at=at) for version, current in found]


def stamp(
    session: Session,
    *,
    feeds: Collection[str] | None,
    organisations: Collection[str] | None,
    period: str | None = None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """What an answer about these returns stands on: when the newest version came or was withdrawn, and how often
    either has happened, which grows with every change."""
    withdrawn = ~counts(at)
    query = select(
        func.greatest(func.max(ReturnVersion.received_at), func.max(ReturnVersion.withdrawn_at).filter(withdrawn)),
        func.count() + func.count().filter(withdrawn),
    )
    newest, changes = session.execute(query.where(*_chosen(feeds, organisations, period, at))).one()
    return {"as_of": newest or at, "data_version": changes, "known_at": at}


def _chosen(
    feeds: Collection[str] | None, organisations: Collection[str] | None, period: str | None, at: datetime | None
) -> list[ColumnElement[bool]]:
    chosen = [known(at)]
    if feeds is not None:
        chosen.append(ReturnVersion.feed.in_(feeds))
    if organisations is not None:
        chosen.append(ReturnVersion.organisation.in_(organisations))
    if period is not None:
        chosen.append(ReturnVersion.period == period)
    return chosen


def _shown(one: ReturnVersion, *, current: bool, at: datetime | None) -> dict[str, Any]:
    still = one.withdrawn_at is None or (at is not None and one.withdrawn_at > at)
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
        "withdrawn_at": None if still else one.withdrawn_at,
    }
