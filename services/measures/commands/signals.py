"""Signals: when figures move, the charts they are on are judged again; what begins, changes or ends is told.

Charts of the whole are judged, an organisation's own at once; those of the aggregates it is in follow (`aggregates`).
Nothing is said of a chart whose limits are trial limits, nor of points whose denominators are below the measure's
minimum, which have no value.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from zlib import crc32

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.measures.models import Signal
from services.measures.queries.organisations import AGGREGATES, Membership
from services.measures.queries.wholes import Series, by_default_grain, step_changes, track, wholes
from services.measures.rules.definitions import Definition
from services.measures.rules.disclosure import policy
from services.measures.rules.judging import Judgement, judged
from services.measures.rules.spc.answers import TRIAL_POINTS
from shared.contracts.measures import SignalDetected
from shared.db import driver
from shared.messaging.outbox import publish

ORGANISATIONS_AT_ONCE = 1000
_LOCK, _TURNS = 0x51_64_4A, 64


class Found(NamedTuple):
    """What a chart says that signals."""

    period: str
    variation: str
    rule: str | None
    chart: str
    small: bool


class Standing(NamedTuple):
    """A signal that stands."""

    id: int
    organisation: str
    measure: str
    period: str
    variation: str
    small: bool


def judge(
    session: Session,
    definitions: Mapping[str, Definition],
    moved: Collection[str],
    organisations: Collection[str],
    *,
    change: int,
    instant: datetime,
) -> None:
    """Judge the charts of the measures that moved, and those which signal, at these organisations, block by block.

    Aggregates among them have no figures of their own, and are left alone.
    """
    own = set(organisations) - _aggregates(session, organisations)
    _take_turns(session, own)
    remaining = iter(sorted(own))
    while block := list(islice(remaining, ORGANISATIONS_AT_ONCE)):
        standing = signals_of(session, block)
        measures = {*moved, *(measure for _, measure in standing)}
        known = {measure: definitions[measure] for measure in sorted(measures) if measure in definitions}
        found = _signals(session, known, block)
        keep(session, {key: one for key, one in standing.items() if key[1] in known}, found, change, instant)


def _aggregates(session: Session, codes: Collection[str]) -> set[str]:
    found = driver(session).execute(
        "select code from organisation where superseded_at is null and code = any(%b) and kind = any(%b)",
        (list(codes), list(AGGREGATES)),
    )
    return {code for (code,) in found}


def _take_turns(session: Session, organisations: Collection[str]) -> None:
    """Wait until no other worker is judging these: each must see the figures that the other has brought.

    To the end of the transaction. A lock is shared by many organisations, for there can be only so many.
    """
    turns = sorted({crc32(code.encode()) % _TURNS for code in organisations})
    driver(session).execute("select pg_advisory_xact_lock(%s, turn) from unnest(%b::int[]) as turn", (_LOCK, turns))


def signals_of(session: Session, places: Sequence[str]) -> dict[tuple[str, str], Standing]:
    """The signals that stand at these organisations, by organisation and measure."""
    rows = driver(session).execute(
        """
        select id, organisation, measure, period, variation, small from signal
        where resolved_at is null and organisation = any(%b)
        """,
        (list(places),),
    )
    return {(one.organisation, one.measure): one for one in map(Standing._make, rows)}


def keep(
    session: Session,
    standing: Mapping[tuple[str, str], Standing],
    found: Mapping[tuple[str, str], Found],
    change: int,
    instant: datetime,
) -> None:
    """Resolve what is over, keep what is new and tell of both; a signal that stands is told once.

    Whether one that stands is of small numbers may change with every figure, and so may who can ask for it.
    """
    ended = [one for key, one in standing.items() if key not in found or found[key].variation != one.variation]
    begun = {key: one for key, one in found.items() if key not in standing or standing[key].variation != one.variation}
    turned = [one.id for key, one in standing.items() if key in found and key not in begun
              and found[key].small != one.small]  # fmt: skip
    if turned:
        session.execute(update(Signal).where(Signal.id.in_(turned)).values(small=~Signal.small))
    if ended:
        session.execute(update(Signal).where(Signal.id.in_([one.id for one in ended])).values(resolved_at=instant))
    if begun:
        session.execute(insert(Signal).on_conflict_do_nothing(), [
            {"organisation": organisation, "measure": measure, **one._asdict(), "data_version": change,
             "detected_at": instant}
            for (organisation, measure), one in begun.items()
        ])  # fmt: skip
    if begun or ended:
        publish(
            session, [*_resolved(ended, begun, change, instant), *_begun(begun, change, instant)], source="measures"
        )


def _signals(session: Session, definitions: Mapping[str, Definition], codes: list[str]) -> dict[tuple[str, str], Found]:
    members = {code: [Membership(code, None, None)] for code in _beyond_trial(session, definitions, codes)}
    series = [
        one
        for one in by_default_grain(wholes(session, definitions, members), definitions)
        if len(one.periods) > TRIAL_POINTS
    ]
    if not series:
        return {}
    steps = step_changes(session, sorted({one.place for one in series}), list(definitions))
    tracks = [track(one, definitions[one.measure], steps=steps.get((one.place, one.measure), ())) for one in series]
    verdicts = zip(series, judged(tracks), strict=True)
    told = {(one.place, one.measure): told_of(verdict, small=_small(one, definitions)) for one, verdict in verdicts}
    return {key: one for key, one in told.items() if one is not None}


def _beyond_trial(session: Session, measures: Iterable[str], codes: Sequence[str]) -> list[str]:
    """The organisations with more figures of some measure than are on a chart of trial limits.

    Of a home that has sent its first weeks there is nothing to judge, and a national file is of 15,000 such homes.
    """
    found = driver(session).execute(
        """
        select code from unnest(%b::text[]) as one(code)
        where exists (
            select from unnest(%b::text[]) as asked(measure)
            where exists (
                select from cell where organisation = one.code and measure = asked.measure and known_to is null
                offset %s
            )
        )
        """,
        (list(codes), list(measures), TRIAL_POINTS),
    )
    return [code for (code,) in found]


def told_of(verdict: Judgement, *, small: bool) -> Found | None:
    """What there is to tell of a chart, if it signals."""
    icons = verdict.icons
    if icons is None or verdict.period is None or icons.trial or icons.variation == "common_cause":
        return None
    return Found(verdict.period, icons.variation, icons.rule, verdict.chart, small)


def _small(one: Series, definitions: Mapping[str, Definition]) -> bool:
    below = policy(definitions[one.measure].disclosure).small_below
    return any(0 < count < below for count in (*one.numerators, *one.denominators) if count)


def _resolved(
    ended: Iterable[Standing], begun: Collection[tuple[str, str]], change: int, instant: datetime
) -> Iterator[SignalDetected]:
    """Signals that are over; of one that became another only the new one is told."""
    for one in ended:
        if (one.organisation, one.measure) not in begun:
            yield SignalDetected(
                organisation=one.organisation, measure=one.measure, period=one.period, variation=one.variation,
                state="resolved", small=one.small, data_version=change, detected_at=instant,
            )  # fmt: skip


def _begun(found: Mapping[tuple[str, str], Found], change: int, instant: datetime) -> Iterator[SignalDetected]:
    for (organisation, measure), one in sorted(found.items()):
        yield SignalDetected(
            organisation=organisation, measure=measure, period=one.period, variation=one.variation, rule=one.rule,
            small=one.small, data_version=change, detected_at=instant,
        )  # fmt: skip
