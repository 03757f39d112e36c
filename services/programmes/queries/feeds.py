"""Feeds as they are shown to those who send them."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.programmes.models import Feed
from services.programmes.queries import entries

_PLURALS = {"field": "fields", "rule": "rules"}
_LONG = ("fields", "rules", "code_lists")
_DOCUMENTS = ("schema", "table-schema", "template.csv", "template.xlsx", "guide")


def listed(
    session: Session, *, after: str | None, limit: int, known_at: datetime | None = None
) -> list[dict[str, Any]]:
    """The feeds in order of their id, without their fields, rules and code lists: one more than `limit`."""
    rows = entries.listed(session, Feed, after=after, limit=limit, known_at=known_at)
    return [{key: value for key, value in _shown(row).items() if key not in _LONG} for row in rows]


def one(session: Session, feed: str, *, known_at: datetime | None = None) -> dict[str, Any]:
    """One feed in full. Raises UnknownFeed."""
    return _shown(entries.one(session, Feed, feed, known_at=known_at))


def spec(session: Session, feed: str) -> dict[str, Any]:
    """The published specification of a feed. Raises UnknownFeed."""
    return entries.found(session, Feed, feed).document


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    place = f"/v1/feeds/{row['id']}"
    links = {"self": place, **{name: f"{place}/{name}" for name in _DOCUMENTS}}
    return {_PLURALS.get(key, key): value for key, value in {"rule": [], **row}.items()} | {"links": links}
