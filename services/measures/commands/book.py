"""The book of definitions: every live measure compiled against the newest feeds, kept until one of them changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.orm import Session

from services.measures.models import Definition, Feed
from services.measures.rules import definitions, feeds
from services.measures.rules.feeds import InvalidDefinition

log = structlog.get_logger()

# Of a definition another version is another row. A feed is written over: then its row has another place or writer.
_EDITION = text(
    """
    select coalesce(string_agg(edition, ',' order by edition), '') from (
        select id::text as edition from definition where status = 'live' and superseded_at is null
        union all select concat_ws('/', feed, version, ctid, xmin) from feed
    ) editions
    """
)


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """The live definitions, compiled, and the feeds they read."""

    definitions: Mapping[str, definitions.Definition]
    feeds: Mapping[str, feeds.Feed]


# Compiling eighty definitions costs more than applying one return.
_shelf: WeakKeyDictionary[Engine | Connection, tuple[str, Book]] = WeakKeyDictionary()


def book(session: Session) -> Book:
    """The live definitions against the newest feeds, compiled anew only when one of them is another."""
    edition = session.execute(_EDITION).scalar_one()
    database = session.get_bind()
    kept = _shelf.get(database)
    if kept is None or kept[0] != edition:
        kept = _shelf[database] = edition, _compiled(session)
    return kept[1]


def _compiled(session: Session) -> Book:
    """Every live definition and every feed, compiled. What cannot be computed is logged and left out."""
    specifications = {
        one.feed: one.spec
        for one in session.execute(select(Feed.feed, Feed.spec).order_by(Feed.published_at, Feed.version))
    }
    compiled, readable = {}, {}
    for one in session.execute(
        select(Definition.measure, Definition.definition).where(Definition.status == "live", Definition.known(None))
    ):
        try:
            compiled[one.measure] = definitions.Definition.compile(one.definition, specifications)
        except InvalidDefinition as reason:
            log.warning("measure cannot be computed", measure=one.measure, reason=str(reason))
    for name, spec in specifications.items():
        try:
            readable[name] = feeds.Feed.of(spec)
        except InvalidDefinition as reason:
            log.warning("feed cannot be read", feed=name, reason=str(reason))
    return Book(compiled, readable)
