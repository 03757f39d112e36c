"""The book of definitions: every live measure compiled against the newest feeds, kept until one of them changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from services.measures.models import Definition, Feed
from services.measures.rules import definitions
from services.measures.rules.feeds import InvalidDefinition

log = structlog.get_logger()


_EDITION = text(
    """
    select md5(coalesce(string_agg(edition, ',' order by edition), '')) from (
        select measure || md5(definition::text) as edition from definition
        where status = 'live' and superseded_at is null
        union all select feed || version || md5(spec::text) from feed
    ) editions
    """
)


@dataclass(frozen=True, slots=True)
class Book:
    """The live definitions, compiled, and the feeds they read."""

    definitions: Mapping[str, definitions.Definition]
    feeds: Mapping[str, dict[str, Any]]


_shelf: dict[str, Book] = {}  # compiling eighty definitions costs more than applying one return


def book(session: Session) -> Book:
    """The live definitions against the newest feeds, compiled anew only when one of them is another."""
    edition = session.execute(_EDITION).scalar_one()
    if edition not in _shelf:
        _shelf.clear()
        _shelf[edition] = _compiled(session)
    return _shelf[edition]


def _compiled(session: Session) -> Book:
    """Every live definition, compiled. One that cannot be computed is logged and left out."""
    feeds = {
        one.feed: one.spec
        for one in session.execute(select(Feed.feed, Feed.spec).order_by(Feed.published_at, Feed.version))
    }
    compiled = {}
    for one in session.execute(
        select(Definition.measure, Definition.definition).where(Definition.status == "live", Definition.known(None))
    ):
        try:
            compiled[one.measure] = definitions.Definition.compile(one.definition, feeds)
        except InvalidDefinition as reason:
            log.warning("measure cannot be computed", measure=one.measure, reason=str(reason))
    return Book(compiled, feeds)
