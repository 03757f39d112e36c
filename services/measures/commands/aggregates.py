"""Signals of aggregates: the charts of ICBs, footprints, regions and England follow those of the organisations in them.

What moved is noted as it moves, in the transaction of the figures. A worker of its own judges what waits, all at once:
a chart of England is read from every figure in England, and nobody's return should wait for that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from services.measures.commands.signals import Found, keep, signals_of, told_of
from services.measures.models import Unjudged
from services.measures.queries.definitions import definitions_of
from services.measures.queries.moment import stand
from services.measures.queries.organisations import AGGREGATES, Membership, Place, members_of, places
from services.measures.queries.wholes import Series, by_default_grain, forbidden, step_changes, track, wholes
from services.measures.rules.definitions import Definition
from services.measures.rules.disclosure import policy
from services.measures.rules.gathering import gathered
from services.measures.rules.judging import Judgement, Track, judged
from services.measures.rules.spc.answers import TRIAL_POINTS
from shared.db import copy_rows, driver, now

_LOCK = 0x05_01_51_64
_PLACES_AT_ONCE = 50


def note_moved(session: Session, moved: Mapping[str, Iterable[str]]) -> None:
    """Figures of these measures (all, if none is named) moved at these organisations, or an aggregate's chart did."""
    if moved:
        columns = {"organisation": "text", "measures": "text[]"}
        copy_rows(session, "unjudged", columns, ((code, sorted(each)) for code, each in moved.items()))


def judge_aggregates(session: Session) -> int:
    """Judge the charts of all aggregates in which figures have moved; how many movements that takes in.

    One process at a time: another does nothing meanwhile.
    """
    waiting = session.execute(select(Unjudged.id, Unjudged.organisation, Unjudged.measures)).all()
    if not waiting or not session.scalar(text("select pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}):
        return 0
    known = definitions_of(session)
    named = {measure for one in waiting for measure in one.measures}
    chosen = known if any(not one.measures for one in waiting) else {m: known[m] for m in sorted(named) if m in known}
    above = _above(session, {one.organisation for one in waiting})
    for at in range(0, len(above), _PLACES_AT_ONCE):
        _judge(session, chosen, above[at : at + _PLACES_AT_ONCE])
    driver(session).execute("delete from unjudged where id = any(%s)", ([one.id for one in waiting],))
    return len(waiting)


def _above(session: Session, codes: Iterable[str]) -> list[Place]:
    """Every aggregate that holds, or ever held, one of these; and those among them."""
    found = driver(session).execute(
        """
        with recursive above (code) as (
            select unnest(%s::text[])
            union select edge.parent from above join edge on edge.child = above.code and edge.superseded_at is null
        )
        select code from above join organisation using (code)
        where organisation.superseded_at is null and kind = any(%s)
        """,
        (list(codes), list(AGGREGATES)),
    )
    return places(session, codes=[code for (code,) in found])


def _judge(session: Session, definitions: Mapping[str, Definition], of: Sequence[Place]) -> None:
    kinds, members = {one.code: one.kind for one in of}, members_of(session, of, basis="as_was")
    standing = {key: one for key, one in signals_of(session, list(members)).items() if key[1] in definitions}
    series = [cut for one in by_default_grain(wholes(session, definitions, members), definitions)
              if len((cut := _gathered(one)).periods) > TRIAL_POINTS]  # fmt: skip
    steps = step_changes(session, list(members), list(definitions))
    tracks = [track(one, definitions[one.measure], steps=steps.get((one.place, one.measure), ())) for one in series]
    found: dict[tuple[str, str], Found] = {}
    for one, drawn, verdict in zip(series, tracks, judged(tracks), strict=True):
        told = told_of(verdict, small=False)
        if told is not None:
            key, before = (one.place, one.measure), standing.get((one.place, one.measure))
            if before is None or before.variation != told.variation:
                small = _small(session, one, drawn, verdict, kinds[one.place], members[one.place])
            else:
                small = before.small
            found[key] = told._replace(small=small)
    if found or standing:
        keep(session, standing, found, stand(session, None).data_version, now())


def _gathered(one: Series) -> Series:
    """The series up to the last period for which most members have sent."""
    last = gathered(one.senders)
    return one._replace(
        periods=one.periods[:last],
        numerators=one.numerators[:last],
        denominators=one.denominators[:last],
        provisional=one.provisional[:last],
        senders=one.senders[:last],
    )


def _small(
    session: Session, one: Series, drawn: Track, verdict: Judgement, kind: str, members: Sequence[Membership]
) -> bool:
    """Whether the chart as the public sees it says anything else: then only those who see exact figures are told."""
    definition = drawn.definition
    rules = policy(definition.disclosure)
    if rules.exact:
        return False
    hidden = forbidden(session, {one.measure: definition}, {one.place: members})
    (shown,) = judged([replace(track(one, definition, rules, level=kind, hidden=hidden), steps=drawn.steps)])
    return told_of(shown, small=False) != told_of(verdict, small=False)
