"""Which days are computed anew when returns change, and how many of them at a time.

The figures of an organisation over a stretch of days are a function of the returns that overlap it, so stretches that
do not overlap may be computed one after the other: a million rows are never in memory together.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.measures.rules.rolling import window, windows
from shared.contracts.periods import Grain, Period
from shared.db import driver


class Touched(NamedTuple):
    """A return that changed, and the submission by which it is as it is."""

    feed: str
    organisation: str
    period: Period
    submission: str


class Stretch(NamedTuple):
    """Days of one organisation whose cells of one grain are computed anew."""

    organisation: str
    start: date
    end: date


class Kind(NamedTuple):
    """Measures that are computed together: of one grain, each figure of as many periods."""

    grain: Grain
    rolling: int

    def reach(self, one: Stretch) -> Stretch:
        """The days on whose returns the cells of a stretch depend: those before it too, where figures are rolling."""
        first = Period.of(one.start, self.grain)
        return one._replace(start=Period.parse(window(first.text, self.rolling)[-1]).start)


def stretches_of(touched: Iterable[Touched], kind: Kind) -> list[Stretch]:
    """The days whose cells depend on these returns: each return's own, widened to whole periods of the grain, and by
    as many after it as roll over it."""
    found = set()
    for one in touched:
        first, last = Period.of(one.period.start, kind.grain), Period.of(one.period.end, kind.grain)
        end = Period.parse(windows(last.text, kind.rolling)[-1]).end
        found.add(Stretch(one.organisation, first.start, end))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Current:
    """A current return version that overlaps a stretch."""

    id: str
    feed: str
    organisation: str
    period: Period
    kind: str
    status: str
    received_at: datetime
    row_count: int


def current_returns(session: Session, feeds: Collection[str], stretches: Sequence[Stretch]) -> list[Current]:
    """The current versions of the returns of these feeds that overlap a stretch."""
    cursor = driver(session).execute(
        """
        select distinct v.id, v.feed, v.organisation, v.period, v.kind, v.status, v.received_at, v.row_count
        from unnest(%b::text[], %b::date[], %b::date[]) as stretch(organisation, first, last)
        cross join unnest(%b::text[]) as asked(feed)
        cross join lateral (  -- found by the index, whatever is believed of how much the table holds
            select * from return_version
            where feed = asked.feed and organisation = stretch.organisation
              and start <= stretch.last and "end" >= stretch.first
              and replaced_at is null and applied_at is not null
            offset 0
        ) as v
        """,
        (*map(list, zip(*stretches, strict=True)), list(feeds)),
    )
    return [
        Current(identity, feed, organisation, Period.parse(period), kind, status, received_at, row_count)
        for identity, feed, organisation, period, kind, status, received_at, row_count in cursor
    ]


def portions(
    stretches: Sequence[Stretch], current: Sequence[Current], kind: Kind, *, rows: int
) -> Iterator[tuple[list[Stretch], list[Current]]]:
    """The stretches in portions of no more than that many `rows`, each with every return that its cells depend on.

    Stretches that overlap stay together, so that no cell is computed twice.
    """
    if sum(one.row_count for one in current) <= rows:
        yield list(stretches), list(current)
        return
    of_organisation: dict[str, list[Current]] = defaultdict(list)
    for one in current:
        of_organisation[one.organisation].append(one)
    together: list[Stretch] = []
    behind: dict[str, Current] = {}
    held = 0
    for days, run in _runs(stretches):
        needed = _overlapping(of_organisation[days.organisation], kind.reach(days))
        size = sum(one.row_count for one in needed)
        if together and held + size > rows:
            yield together, list(behind.values())
            together, behind, held = [], {}, 0
        together += run
        behind |= {one.id: one for one in needed}
        held += size
    yield together, list(behind.values())


def _overlapping(returns: Iterable[Current], days: Stretch) -> list[Current]:
    return [one for one in returns if one.period.start <= days.end and one.period.end >= days.start]


def _runs(stretches: Iterable[Stretch]) -> Iterator[tuple[Stretch, list[Stretch]]]:
    """The stretches (in order), those that overlap together, with the days from the first to the last of them."""
    days: Stretch | None = None
    run: list[Stretch] = []
    for one in stretches:
        if days is None or one.organisation != days.organisation or one.start > days.end:
            if days is not None:
                yield days, run
            days, run = one, []
        run.append(one)
        days = days._replace(end=max(days.end, one.end))
    if days is not None:
        yield days, run
