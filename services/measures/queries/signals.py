"""Signals that were found as figures arrived: those that stand, and those that have ended."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from services.measures.models import Definition, Organisation, Signal, Unjudged
from services.measures.queries import organisations
from services.measures.queries.asking import Asked, places_asked, stated
from services.measures.queries.cells import known_then
from services.measures.queries.definitions import definitions_of
from services.measures.queries.moment import Moment
from services.measures.queries.organisations import Place
from services.measures.rules.alarms import afforded
from services.measures.rules.disclosure import policy
from services.measures.rules.spc.answers import TRIAL_POINTS
from shared.db import Database, driver, now

State = Literal["detected", "resolved"]
_LONDON = ZoneInfo("Europe/London")


def unjudged(database: Database) -> int:
    """How many movements of figures the charts of aggregates have not been judged for yet."""
    with database.session() as session:
        return session.scalars(select(func.count()).select_from(Unjudged)).one()


def signals(
    session: Session,
    asked: Asked,
    *,
    organisation: str | None,
    within: str | None,
    measure: str | None,
    state: State | None,
    since: date | None,
    budget: float | None = None,
    after: int | None,
    limit: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the answer stands on, and up to `limit` + 1 signals after that id, in the order they were found.

    Nothing is said, to a caller who does not see exact figures, of charts with small numbers. `known_at` leaves out
    what was found later, and shows as standing what had not ended then.
    A `budget` of false alarms leaves out the rules that would, on so many charts, tell of more than that by chance.
    """
    when, stand = asked.begin(session)
    places = places_asked(session, asked, when, organisation=organisation, within=within)
    sight = organisations.sight(session, asked.caller, when)
    known = definitions_of(session, measures=None if measure is None else [measure.lower()], when=when)
    open_to_all = [name for name, one in known.items() if policy(one.disclosure).exact]
    query = (
        select(Signal, Organisation.name, Definition.definition["name"].astext)
        .join(Organisation, and_(Organisation.code == Signal.organisation, Organisation.known(asked.known_at)))
        .join(Definition, and_(Definition.measure == Signal.measure, Definition.known(asked.known_at)))
        .where(Signal.organisation.in_([one.code for one in places]), Signal.measure.in_(known))
        .order_by(Signal.id)
        .limit(limit + 1)
    )
    if not sight.everything:
        exact = [one.code for one in places if sight.exact(one.code)]
        query = query.where(Signal.organisation.in_(exact) | Signal.small.is_(False) | Signal.measure.in_(open_to_all))
    alarms = None if budget is None else afforded(_charts(session, places, known, when), budget)
    if alarms is not None:
        query = query.where(Signal.rule.in_(alarms.rules))
    if after is not None:
        query = query.where(Signal.id > after)
    if since is not None:
        query = query.where(Signal.detected_at >= datetime.combine(since, time(), _LONDON))
    if asked.known_at is not None:
        query = query.where(Signal.detected_at <= asked.known_at)
    over = and_(Signal.resolved_at.is_not(None), Signal.resolved_at <= (asked.known_at or now()))
    if state is not None:
        query = query.where(over if state == "resolved" else ~over)
    items = [_item(row[0], row[1], row[2], asked) for row in session.execute(query)]
    return {**stated(stand, asked, []), "false_alarms": None if alarms is None else asdict(alarms)}, items


def _charts(session: Session, places: Sequence[Place], measures: Iterable[str], when: Moment) -> int:
    """How many charts of these organisations and measures are long enough to signal.

    An aggregate has one for each measure of which a member has one.
    """
    wholes = [one for one in places if one.is_aggregate]
    members = organisations.members_of(session, wholes, basis="as_was", when=when)
    own = {one.code for one in places if not one.is_aggregate}
    inside = {one.code for each in members.values() for one in each}
    charts: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for code, measure, grain in _long_enough(session, own | inside, measures, when.at):
        charts[code].add((measure, grain))
    together = (set().union(*(charts[one.code] for one in each)) for each in members.values())
    return sum(len(charts[code]) for code in own) + sum(map(len, together))


def _long_enough(
    session: Session, codes: Iterable[str], measures: Iterable[str], at: datetime | None
) -> Iterable[tuple[str, str, str]]:
    return driver(session).execute(
        f"""
        select organisation, measure, grain from cell
        where organisation = any(%(codes)s) and measure = any(%(measures)s)
          and strata[1] = '' and numerator[1] is not null and failed = '{{}}' and {known_then(at)}
        group by organisation, measure, grain having count(*) > %(trial)s
        """,  # noqa: S608 - the condition is ours
        {"codes": list(codes), "measures": list(measures), "trial": TRIAL_POINTS, "at": at},
    )


def _item(one: Signal, place: str, name: str | None, asked: Asked) -> dict[str, Any]:
    resolved = one.resolved_at
    if resolved is not None and asked.known_at is not None and resolved > asked.known_at:
        resolved = None
    return {
        "id": one.id,
        "measure": one.measure,
        "measure_name": name,
        "organisation": one.organisation,
        "organisation_name": place,
        "period": one.period,
        "variation": one.variation,
        "rule": one.rule,
        "chart": one.chart,
        "state": "detected" if resolved is None else "resolved",
        "data_version": one.data_version,
        "detected_at": one.detected_at,
        "resolved_at": resolved,
    }
