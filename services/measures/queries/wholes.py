"""Figures of the whole (no strata) of many measures and many organisations at once, in one read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from services.measures.queries.annotations import annotations_of
from services.measures.queries.cells import known_then
from services.measures.queries.moment import NOW, Moment
from services.measures.queries.organisations import Membership
from services.measures.rules import margins
from services.measures.rules.definitions import Definition
from services.measures.rules.disclosure import WHOLE, Policy, disclosed, policy, without
from services.measures.rules.disclosure import Exact as Counts
from services.measures.rules.figures import default_grain
from services.measures.rules.judging import Track, value_of
from shared.contracts.periods import Grain, Period
from shared.db import driver


class Series(NamedTuple):
    """The figures of an organisation's measure in one grain, period by period; the lists are of one length.

    `senders` is how many organisations each figure is of.
    """

    place: str
    measure: str
    grain: Grain
    periods: list[str]
    numerators: list[float | None]
    denominators: list[float | None]
    provisional: list[bool]
    senders: list[int]


def wholes(
    session: Session,
    definitions: Mapping[str, Definition],
    members: Mapping[str, Sequence[Membership]],
    *,
    first: Period | None = None,
    last: Period | None = None,
    at: datetime | None = None,
) -> Iterator[Series]:
    """The figures of these measures for each organisation of `members`, as the sums over its members.

    Only figures with both halves are added; a nil return adds nothing. One series for each grain there is.
    What is asked for by itself too is read once, and added here.
    """
    alone = {place for place, each in members.items() if [*each] == [Membership(place, None, None)]}
    added = {place: each for place, each in members.items()
             if place not in alone and alone.issuperset(one.code for one in each)}  # fmt: skip
    read = {place: each for place, each in members.items() if place not in added}
    parts: dict[str, list[Series]] = defaultdict(list)
    for one in _read(session, definitions, read, first=first, last=last, at=at):
        parts[one.place].append(one)
        yield one
    for place, each in added.items():
        yield from _added(place, each, parts)


def _read(
    session: Session,
    definitions: Mapping[str, Definition],
    members: Mapping[str, Sequence[Membership]],
    *,
    first: Period | None,
    last: Period | None,
    at: datetime | None,
) -> Iterator[Series]:
    listed = [(place, *one) for place, each in members.items() for one in each]
    if not listed or not definitions:
        return
    places, codes, starts, ends = (list(column) for column in zip(*listed, strict=True))
    single = all(len(each) == 1 for each in members.values())
    cursor = driver(session).execute(
        (_OWN if single else _SUMMED).format(instant=known_then(at)),
        {
            "places": places, "codes": codes, "starts": starts, "ends": ends,
            "from": first.start if first else None, "to": last.end if last else None, "at": at,
            "measures": list(definitions),
            "plain": [one.denominator is None for one in definitions.values()],
        },
        binary=True,
    )  # fmt: skip
    yield from map(Series._make, cursor.fetchall())


def _added(place: str, members: Sequence[Membership], parts: Mapping[str, Sequence[Series]]) -> Iterator[Series]:
    """The series of a place, of the series of its members while they lay within it."""
    sums: dict[tuple[str, Grain], dict[str, _Sum]] = defaultdict(dict)
    for member in members:
        for part in parts.get(member.code, ()):
            here = sums[part.measure, part.grain]
            figures = zip(part.periods, part.numerators, part.denominators, part.provisional, strict=True)
            for period, numerator, denominator, provisional in figures:
                if member.holds(Period.parse(period).start):
                    one = here.get(period)
                    here[period] = (
                        (numerator, denominator, provisional, 1)
                        if one is None
                        else (_plus(one[0], numerator), _plus(one[1], denominator), one[2] or provisional, one[3] + 1)
                    )
    for (measure, grain), found in sums.items():
        if found:
            ordered = sorted(found.items(), key=lambda one: Period.parse(one[0]).start)
            numerators, denominators, provisional_, senders = zip(*(figure for _, figure in ordered), strict=True)
            yield Series(
                place, measure, grain, [period for period, _ in ordered],
                [*numerators], [*denominators], [*provisional_], [*senders],
            )  # fmt: skip


_Sum = tuple[float | None, float | None, bool, int]
"""Numerator and denominator of several senders together, whether any is provisional, and how many they are."""


def _plus(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other


# Laterally, so that each list of figures is found by the index, whatever is believed of how much the table holds.
_ASKED = """
    from unnest(%(places)s::text[], %(codes)s::text[], %(starts)s::date[], %(ends)s::date[])
         as member(place, code, first, last)
    cross join unnest(%(measures)s::text[], %(plain)s::bool[]) as asked(measure, plain)
"""
_FOUND = """
    from cell
    where cell.measure = asked.measure and cell.organisation = member.code and {instant}
      and cell.failed = '{{}}' and cell.strata[1] = '' and cell.numerator[1] is not null
      and (asked.plain or cell.denominator[1] is not null)
      and (member.first is null or cell.start >= member.first) and (member.last is null or cell.start < member.last)
      and (%(from)s::date is null or cell.start >= %(from)s::date)
      and (%(to)s::date is null or cell.start <= %(to)s::date)
"""
_CELLS = f"{_ASKED} cross join lateral (select * {_FOUND} offset 0) as cell"

_OWN = f"""
    select member.place, asked.measure, own.*
    {_ASKED}
    cross join lateral (
        select grain, array_agg(period order by start), array_agg(numerator[1] order by start),
               array_agg(denominator[1] order by start), array_agg(provisional order by start),
               array_agg(1 order by start)
        {_FOUND} group by grain
    ) as own
"""
_STRATA = "select member.place, cell.measure, cell.period, cell.strata, cell.numerator, cell.denominator" + _CELLS
_SUMMED = "\n".join(
    [
        "select place, measure, grain, array_agg(period order by start), array_agg(numerator order by start),",
        "array_agg(denominator order by start), array_agg(provisional order by start),",
        "array_agg(senders order by start) from (",
        "select member.place, cell.measure, cell.grain, cell.period, min(cell.start) as start,",
        "sum(cell.numerator[1]) as numerator, sum(cell.denominator[1]) as denominator,",
        "bool_or(cell.provisional) as provisional, count(*)::int as senders",
        _CELLS,
        "group by member.place, cell.measure, cell.grain, cell.period) summed group by 1, 2, 3",
    ]
)


Forbidden = Mapping[tuple[str, str, str], set[str]]
"""By organisation, measure and period, the columns whose whole may not be shown beside the members'."""


def forbidden(
    session: Session,
    definitions: Mapping[str, Definition],
    members: Mapping[str, Sequence[Membership]],
    *,
    first: Period | None = None,
    last: Period | None = None,
    at: datetime | None = None,
) -> Forbidden:
    """The wholes of sums over members that `cells.known` would forbid under each measure's policy, in one read."""
    listed = [(place, *one) for place, each in members.items() if len(each) > 1 for one in each]
    if not listed or not definitions:
        return {}
    places, codes, starts, ends = (list(column) for column in zip(*listed, strict=True))
    cursor = driver(session).execute(
        _STRATA.format(instant=known_then(at)),
        {
            "places": places, "codes": codes, "starts": starts, "ends": ends,
            "from": first.start if first else None, "to": last.end if last else None, "at": at,
            "measures": list(definitions), "plain": [one.denominator is None for one in definitions.values()],
        },
        binary=True,
    )  # fmt: skip
    parts: dict[tuple[str, str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for place, measure, period, *counts in cursor:
        parts[place, measure, period].append(tuple(counts))
    found = {key: _forbidden(each, policy(definitions[key[1]].disclosure)) for key, each in parts.items()}
    return {key: columns for key, columns in found.items() if columns}


def _forbidden(parts: Sequence[tuple[Any, ...]], rules: Policy) -> set[str]:
    columns = {"numerator": 1, "denominator": 2}
    return {
        name
        for name, place in columns.items()
        if WHOLE
        in margins.to_hide(
            [{s: n for s, n in zip(one[0], one[place], strict=True) if n is not None} for one in parts], rules
        )
    }


def by_default_grain(found: Iterable[Series], definitions: Mapping[str, Definition]) -> list[Series]:
    """Of the series of one organisation and measure, the one in the grain that is shown by default."""
    grains: dict[tuple[str, str], dict[Grain, Series]] = defaultdict(dict)
    for one in found:
        grains[one.place, one.measure][one.grain] = one
    return [each[default_grain(each, definitions[measure].period)] for (_, measure), each in sorted(grains.items())]


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as a caller may see it."""

    numerator: float | None
    denominator: float | None
    value: float | None
    status: str


def shown(
    one: Series, index: int, definition: Definition, rules: Policy | None, *, level: str, hidden: Forbidden
) -> Shown:
    """A figure of a series as it may be shown: exactly where there are no rules to apply."""
    numerator, denominator = one.numerators[index], one.denominators[index]
    value = None if numerator is None else value_of(definition, numerator, denominator)
    if value is None or numerator is None:
        return Shown(None, None, None, "not_applicable" if denominator == 0 else "low_quality")
    if rules is None:
        return Shown(numerator, denominator, value, "zero" if numerator == 0 else "value")
    exact = Counts(numerator, denominator if definition.denominator is not None else None)
    figure = disclosed(exact, rules, level=level, multiplier=definition.multiplier)
    for column in hidden.get((one.place, one.measure, one.periods[index]), ()):
        figure = without(figure, column)
    return Shown(figure.numerator, figure.denominator, figure.value, figure.status)


def track(
    one: Series,
    definition: Definition,
    rules: Policy | None = None,
    *,
    level: str = "",
    hidden: Forbidden | None = None,
    steps: Sequence[date] = (),
    target: float | None = None,
) -> Track:
    """A series as the engine is to judge it, of the figures as they may be shown."""
    if rules is None:
        pairs: Iterable[tuple[float | None, float | None]] = zip(one.numerators, one.denominators, strict=True)
    else:
        places = range(len(one.periods))
        told = [shown(one, index, definition, rules, level=level, hidden=hidden or {}) for index in places]
        pairs = [(each.numerator, each.denominator) if each.value is not None else (None, None) for each in told]
    return Track(definition, dict(zip(one.periods, pairs, strict=True)), steps, target)


def step_changes(
    session: Session, places: Sequence[str], measures: Sequence[str], when: Moment = NOW
) -> Mapping[tuple[str, str], Sequence[date]]:
    """The days of the accepted step changes of these organisations' measures."""
    found: dict[tuple[str, str], list[date]] = defaultdict(list)
    for place, known in annotations_of(session, places, when).items():
        for one in known:
            if one.kind == "step_change":
                for measure in measures if one.measure is None else {one.measure}.intersection(measures):
                    found[place, measure].append(one.on)
    return found
