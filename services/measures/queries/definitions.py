"""The live definitions, compiled: once for as long as neither they nor their feeds change."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.measures.problems import UnknownMeasure
from services.measures.rules.definitions import Definition
from services.measures.rules.feeds import InvalidDefinition

_compiled: dict[str, tuple[str, Definition | None]] = {}

_DIGESTS = text("""
    select d.measure, d.definition ->> 'programme' as programme, md5(d.definition::text) || coalesce(string_agg(f.digest, '' order by f.feed), '') as digest
    from definition d left join (
        select distinct on (feed) feed, md5(spec::text) as digest from feed order by feed, published_at desc, version desc
    ) f on f.feed in (d.definition #>> '{numerator,feed}', d.definition #>> '{denominator,feed}')
    where d.status = 'live' and (cast(:measures as text[]) is null or d.measure = any(:measures))
      and (cast(:programme as text) is null or d.definition ->> 'programme' = :programme)
    group by d.measure, d.definition order by d.measure
""")  # noqa: E501


def definition_of(session: Session, measure: str) -> Definition:
    """The live definition of a measure. Raises UnknownMeasure."""
    found = definitions_of(session, measures=[measure.lower()])
    if not found:
        raise UnknownMeasure(f"no measure is called {measure[:60]!r}")
    return next(iter(found.values()))


def definitions_of(
    session: Session, *, measures: Collection[str] | None = None, programme: str | None = None
) -> dict[str, Definition]:
    """The live definitions of these measures (None: of all), or of a programme; those that cannot be compiled are not
    among them."""
    asked = {"measures": None if measures is None else list(measures), "programme": programme}
    digests = {row.measure: row.digest for row in session.execute(_DIGESTS, asked)}
    stale = [measure for measure, digest in digests.items() if _compiled.get(measure, ("", None))[0] != digest]
    if stale:
        feeds = specifications(session)
        rows = session.execute(
            text("select measure, definition from definition where measure = any(:stale)"), {"stale": stale}
        )
        for row in rows:
            _compiled[row.measure] = (digests[row.measure], _compile(row.definition, feeds))
    found = {measure: _compiled[measure][1] for measure in digests}
    return {measure: one for measure, one in found.items() if one is not None}


def specifications(session: Session) -> dict[str, Mapping[str, Any]]:
    """The newest specification of every feed."""
    rows = session.execute(text("select feed, spec from feed order by published_at, version"))
    return {row.feed: row.spec for row in rows}


def _compile(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> Definition | None:
    try:
        return Definition.compile(definition, feeds)
    except InvalidDefinition:
        return None
