"""The live definitions, compiled: once for as long as neither they nor their feeds change."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.measures.problems import UnknownMeasure
from services.measures.queries.moment import NOW, Moment
from services.measures.rules.definitions import Definition
from services.measures.rules.feeds import InvalidDefinition

_compiled: dict[int, tuple[str, Definition | None]] = {}

_DIGESTS = text("""
    with known as (
        select distinct on (measure) * from definition
        where (cast(:measures as text[]) is null or measure = any(:measures))
        order by measure, recorded_at <= coalesce(cast(:at as timestamptz), 'infinity') desc,
                 abs(extract(epoch from recorded_at - coalesce(cast(:at as timestamptz), '9999-12-31'))), id desc
    )
    select d.id, d.measure, md5(d.definition::text) || coalesce(string_agg(f.digest, '' order by f.feed), '') as digest
    from known d left join (
        select distinct on (feed) feed, md5(spec::text) as digest
        from feed order by feed, published_at desc, version desc
    ) f on f.feed in (d.definition #>> '{numerator,feed}', d.definition #>> '{denominator,feed}')
    where d.status = 'live' and (cast(:programme as text) is null or d.definition ->> 'programme' = :programme)
    group by d.id, d.measure, d.definition order by d.measure
""")
"""The definitions that were live at the instant; of a measure that was not known yet the first. Those of the present do
not depend on what time it is: they are held."""


def definition_of(session: Session, measure: str, when: Moment = NOW) -> Definition:
    """The live definition of a measure. Raises UnknownMeasure."""
    found = definitions_of(session, measures=(measure.lower(),), when=when)
    if not found:
        raise UnknownMeasure(f"no measure is called {measure[:60]!r}")
    return next(iter(found.values()))


def definitions_of(
    session: Session, *, measures: Collection[str] | None = None, programme: str | None = None, when: Moment = NOW
) -> Mapping[str, Definition]:
    """The live definitions of these measures (None: of all), or of a programme; those that cannot be compiled are not
    among them."""
    key = ("definitions", None if measures is None else frozenset(measures), programme)
    return when.found(key, lambda: _definitions_of(session, measures, programme, when))


def _definitions_of(
    session: Session, measures: Collection[str] | None, programme: str | None, when: Moment
) -> dict[str, Definition]:
    asked = {"measures": None if measures is None else list(measures), "programme": programme, "at": when.at}
    found = {row.id: (row.measure, row.digest) for row in session.execute(_DIGESTS, asked)}
    stale = [number for number, (_, digest) in found.items() if _compiled.get(number, ("", None))[0] != digest]
    if stale:
        feeds = specifications(session)
        rows = session.execute(text("select id, definition from definition where id = any(:stale)"), {"stale": stale})
        for row in rows:
            _compiled[row.id] = (found[row.id][1], _compile(row.definition, feeds))
    known = {measure: _compiled[number][1] for number, (measure, _) in found.items()}
    return {measure: one for measure, one in known.items() if one is not None}


def specifications(session: Session) -> dict[str, Mapping[str, Any]]:
    """The newest specification of every feed."""
    rows = session.execute(text("select feed, spec from feed order by published_at, version"))
    return {row.feed: row.spec for row in rows}


def _compile(definition: Mapping[str, Any], feeds: Mapping[str, Mapping[str, Any]]) -> Definition | None:
    try:
        return Definition.compile(definition, feeds)
    except InvalidDefinition:
        return None
