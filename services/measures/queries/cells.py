"""Reading cells: the figures of an organisation or of its members taken together, as known at an instant."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.measures.queries.moment import recorded
from services.measures.queries.organisations import Membership
from services.measures.rules import margins
from services.measures.rules.definitions import Definition
from services.measures.rules.disclosure import Policy
from services.measures.rules.figures import default_grain
from services.measures.rules.lateness import absent
from services.measures.rules.series import Figure
from services.measures.rules.together import MOST_VERSIONS, together
from shared.contracts.periods import GRAINS, Grain, Period
from shared.db import driver

Hidden = dict[str, set[str]]
"""Strata that may not be shown, by column (numerator, denominator)."""


@dataclass(frozen=True, slots=True)
class Known:
    """The figures found: of which grain, in which periods there was a nil return, the instants of dated events.

    `others` are the grains in which there are figures where there are none in the one asked for.
    `hidden` are, by period, the strata of an aggregate that its members' figures forbid under a policy of disclosure.
    """

    figures: list[Figure]
    nil: frozenset[str]
    dates: list[datetime]
    grain: Grain
    first: Period | None
    last: Period | None
    others: frozenset[Grain] = frozenset()
    hidden: dict[str, Hidden] = field(default_factory=dict)


def known(
    session: Session,
    definition: Definition,
    members: Sequence[Membership],
    *,
    aggregate: bool,
    first: Period | None = None,
    last: Period | None = None,
    at: datetime | None = None,
    today: date,
    rules: Policy | None = None,
) -> Known:
    """The figures of these members together, in the grain asked for by `first` and `last` or else the measure's own.

    A measure's figures may have been sent in another grain than its own (weekly, say): then the finest that was sent
    answers. So do the months of a year that is asked for, where there are no figures by the year. Aggregates are sums
    over those who sent; their completeness is the share of those who ever send.
    """
    rows = _rows(session, definition.measure, members, first=first, last=last, at=at)
    grains = frozenset(row.grain for row in rows)
    grain = _grain(grains, definition, first or last)
    first, last = first and _first_of(first, grain), last and Period.of(last.end, grain)
    rows = [row for row in rows if row.grain == grain]
    periods = {row.start: row.period for row in rows}
    figures = _together(session, definition, members, rows, grain, at, today) if aggregate else _own(rows, definition)
    sent = {row.period for row in rows if row.kind != "nil"}
    return Known(
        figures=figures,
        nil=frozenset(periods.values()) - sent if not aggregate else frozenset(),
        dates=sorted(when for row in rows for when in row.dates or ()),
        grain=grain,
        first=first or (Period.parse(periods[min(periods)]) if periods else None),
        last=last or (Period.parse(periods[max(periods)]) if periods else None),
        others=frozenset() if grain in grains else grains,
        hidden=_hidden(rows, definition, rules) if rules is not None and (aggregate or len(members) > 1) else {},
    )


def quarantined(
    session: Session, definition: Definition, members: Sequence[Membership], at: datetime | None
) -> frozenset[str]:
    """The periods of which one of these sent rows for the measure and nothing stood."""
    cursor = driver(session).execute(
        f"""
        select period from quarantined_return known
        where feed = any(%(feeds)s) and organisation = any(%(codes)s) and {recorded("known", "%(at)s")}
        """,  # noqa: S608 - every name is ours
        {"feeds": [half.feed for half in definition.halves], "codes": [one.code for one in members], "at": at},
    )
    return frozenset(period for (period,) in cursor)


def _hidden(rows: Sequence["_Row"], definition: Definition, rules: Policy) -> dict[str, Hidden]:
    periods: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        if row.is_whole(definition):
            periods[row.period].append(row)
    return {
        period: {
            column: margins.to_hide([_counts(row, column) for row in each], rules)
            for column in ("numerator", "denominator")
        }
        for period, each in periods.items()
    }


def hidden_of_year(
    session: Session,
    definition: Definition,
    members: Sequence[Membership],
    *,
    year: Period,
    by: str,
    grain: Grain,
    at: datetime | None,
    rules: Policy,
) -> Hidden:
    """The strata (of the name `by`) of a year's periods taken together that may not be shown beside each period's and
    each member's."""
    rows = _rows(session, definition.measure, members, first=year, last=year, at=at)
    found = {(row.organisation, row.period): row for row in rows if row.grain == grain and row.is_whole(definition)}
    codes, periods = sorted({code for code, _ in found}), sorted({period for _, period in found})

    def table(column: str) -> list[list[dict[str, float]]]:
        return [[_of(by, found.get((code, period)), column) for period in periods] for code in codes]

    return {column: margins.to_hide_of_year(table(column), rules) for column in ("numerator", "denominator")}


def _of(by: str, row: "_Row | None", column: str) -> dict[str, float]:
    counts = {} if row is None else _counts(row, column)
    return {name: count for name, count in counts.items() if not name or name.startswith(f"{by}=")}


def _counts(row: "_Row", column: str) -> dict[str, float]:
    counts = zip(row.strata, getattr(row, column), strict=True)
    return {stratum: count for stratum, count in counts if count is not None}


def known_then(at: datetime | None) -> str:
    """The condition on cells for what is known now, or was at the instant (the parameter `at`)."""
    if at is None:
        return "cell.known_to is null"
    return "cell.known_from <= %(at)s::timestamptz and (cell.known_to is null or cell.known_to > %(at)s::timestamptz)"


class _Row(NamedTuple):
    organisation: str
    period: str
    grain: Grain
    start: date
    strata: list[str]
    numerator: list[float | None]
    denominator: list[float | None]
    dates: list[datetime] | None
    kind: str
    provisional: bool
    versions: list[str]
    failed: list[str]

    def is_whole(self, definition: Definition) -> bool:
        """Whether it can count in an aggregate: a nil return, or one with both halves of its whole."""
        return self.kind == "nil" or (
            not self.failed
            and self.numerator[0] is not None
            and (definition.denominator is None or self.denominator[0] is not None)
        )


def _rows(
    session: Session,
    measure: str,
    members: Sequence[Membership],
    *,
    first: Period | None,
    last: Period | None,
    at: datetime | None,
) -> list[_Row]:
    instant = known_then(at)
    columns = ", ".join(f"cell.{name}" for name in _Row._fields)
    cursor = driver(session).execute(
        f"""
        select {columns}
        from unnest(%(codes)s::text[], %(starts)s::date[], %(ends)s::date[]) as member(code, first, last)
        join cell on cell.organisation = member.code
             and cell.start >= coalesce(member.first, '-infinity') and cell.start < coalesce(member.last, 'infinity')
        where cell.measure = %(measure)s and {instant}
          and cell.start between coalesce(%(from)s::date, '-infinity') and coalesce(%(to)s::date, 'infinity')
        order by cell.organisation, cell.start  -- the same question is answered in the same order
        """,  # noqa: S608 - every name is ours
        {
            "codes": [one.code for one in members],
            "starts": [one.start for one in members],
            "ends": [one.end for one in members],
            "measure": measure,
            "at": at,
            "from": first.start if first else None,
            "to": last.end if last else None,
        },
        binary=True,
    )
    return [_Row._make(row) for row in cursor.fetchall()]


def _grain(there: frozenset[Grain], definition: Definition, asked: Period | None) -> Grain:
    if asked is None:
        return default_grain(there, definition.period)
    within = GRAINS[: min(GRAINS.index(asked.grain), GRAINS.index("year"))]
    finer = [one for one in there or {definition.period} if one in within]
    return asked.grain if asked.grain in there or not finer else default_grain(finer, definition.period)


def _first_of(asked: Period, grain: Grain) -> Period:
    """The first period of that grain that begins in the one asked for."""
    one = Period.of(asked.start, grain)
    return one if one.start >= asked.start else one.next()


def _own(rows: Sequence[_Row], definition: Definition) -> list[Figure]:
    """One organisation's own figures; where it carries on those it succeeded, theirs are added."""
    periods: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        periods[row.period].append(row)
    summed: dict[tuple[str, str], Figure] = {}
    for row in (row for each in periods.values() for row in _adding_up(each, definition)):
        for stratum, numerator, denominator in zip(row.strata, row.numerator, row.denominator, strict=True):
            one = Figure(
                period=row.period, stratum=stratum, numerator=numerator, denominator=denominator,
                provisional=row.provisional, versions=_plain(row.versions), failed=tuple(row.failed),
            )  # fmt: skip
            before = summed.get((row.period, stratum))
            summed[row.period, stratum] = one if before is None else _added(before, one)
    return list(summed.values())


def _adding_up(rows: Sequence[_Row], definition: Definition) -> Sequence[_Row]:
    """Those of a period's rows that make a figure together; all, to say why there is none, where no figures do."""
    whole = [row for row in rows if row.is_whole(definition)]
    return whole if any(row.kind != "nil" for row in whole) else rows


def _together(
    session: Session,
    definition: Definition,
    members: Sequence[Membership],
    rows: Sequence[_Row],
    grain: Grain,
    at: datetime | None,
    today: date,
) -> list[Figure]:
    """The members taken together, in every period in which one of them sent something."""
    sizes = _senders(session, definition.measure, members, grain, at)
    by_period: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_period[row.period].append(row)
    figures: list[Figure] = []
    for text, parts in by_period.items():
        period = Period.parse(text)
        figures += together(
            parts,
            definition,
            period=text,
            expected=_expected(sizes, members, period.start),
            absent=absent(period, definition.window, today=today),
            sizes={code: size for code, size in sizes.items() if size},
        )
    return figures


def _senders(
    session: Session, measure: str, members: Sequence[Membership], grain: Grain, at: datetime | None
) -> dict[str, float | None]:
    """The members that have ever sent this measure, as known at the instant: those it is expected of. With the usual
    denominator of each, of the figures of that grain that stood then."""
    cursor = driver(session).execute(
        f"""
        select organisation, avg(denominator[1]) filter (where grain = %(grain)s and {known_then(at)})
        from cell where measure = %(measure)s and organisation = any(%(codes)s)
          and known_from <= coalesce(%(at)s::timestamptz, 'infinity') group by organisation
        """,  # noqa: S608 - the condition is ours
        {"measure": measure, "codes": [one.code for one in members], "grain": grain, "at": at},
    )
    return dict(cursor.fetchall())


def _expected(senders: Collection[str], members: Sequence[Membership], day: date) -> list[str]:
    then = {one.code for one in members if (one.start or date.min) <= day < (one.end or date.max)}
    return sorted(then.intersection(senders))


def _added(one: Figure, other: Figure) -> Figure:
    return Figure(
        period=one.period,
        stratum=one.stratum,
        numerator=_sum(one.numerator, other.numerator),
        denominator=_sum(one.denominator, other.denominator),
        failed=(*one.failed, *other.failed),
        provisional=one.provisional or other.provisional,
        versions=(*one.versions, *other.versions)[:MOST_VERSIONS],
    )


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _plain(versions: Sequence[str]) -> tuple[str, ...]:
    """The ids as ingest gives them, without the sequence that tells two stands of one version apart."""
    return tuple(one.partition("#")[0] for one in versions)


class Source(NamedTuple):
    """Where a cell came from: computed from `rows`, `counted` elsewhere or `nil`, by which returns."""

    organisation: str
    kind: str
    definition_version: str
    versions: list[str]


def sources(
    session: Session, measure: str, members: Sequence[Membership], period: Period, *, at: datetime | None
) -> list[Source]:
    """Where the cells of these members in a period came from, as known at the instant."""
    cursor = driver(session).execute(
        f"""
        select distinct cell.organisation, cell.kind, cell.definition_version, cell.versions
        from unnest(%(codes)s::text[], %(starts)s::date[], %(ends)s::date[]) as member(code, first, last)
        join cell on cell.organisation = member.code
             and cell.start >= coalesce(member.first, '-infinity') and cell.start < coalesce(member.last, 'infinity')
        where cell.measure = %(measure)s and cell.period = %(period)s and {known_then(at)}
        order by cell.organisation
        """,  # noqa: S608 - every name is ours
        {
            "codes": [one.code for one in members],
            "starts": [one.start for one in members],
            "ends": [one.end for one in members],
            "measure": measure,
            "period": period.text,
            "at": at,
        },
    )
    return [Source(*row) for row in cursor]
