"""Cells: replaced by key for exactly the returns that changed, in one transaction, with the history kept."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.measures.commands import aggregates, signals
from services.measures.commands.book import Book, book
from services.measures.commands.computing import Figures, computed
from services.measures.commands.copying import COLUMNS, lines
from services.measures.commands.stretches import Stretch, Touched
from services.measures.models import Change, ReturnVersion
from shared.contracts.measures import CellsChanged
from shared.contracts.periods import Period
from shared.db import driver, now
from shared.messaging.outbox import publish

ROWS_AT_ONCE = 400_000

# Stretch by stretch over the index, whatever the planner believes of a table that has just grown a hundredfold.
_END_STANDING = """
update cell set known_to = %s where ctid = any(array(
    select standing.place
    from unnest(%b::text[], %b::date[], %b::date[]) as stretch(organisation, first, last)
    cross join lateral (
        select cell.ctid as place from cell
        where cell.known_to is null and cell.organisation = stretch.organisation and cell.measure = any(%b)
          and cell.start between stretch.first and stretch.last
        offset 0
    ) as standing
))
"""


def recompute_measures(session: Session, measures: Sequence[str]) -> None:
    """Compute every cell of these measures from the current returns, organisation by organisation; end all others."""
    known = book(session)
    chosen = {name: known.definitions[name] for name in measures if name in known.definitions}
    only = Book(chosen, known.feeds)
    before = latest_change(session)
    for batch in batches(session, {feed for one in chosen.values() for feed in one.feeds}):
        _recompute(session, batch, only)
    driver(session).execute(
        "update cell set known_to = %s where known_to is null and measure = any(%s) and change <= %s",
        (now(), list(measures), before),
    )


def batches(session: Session, feeds: Iterable[str], *, since: date | None = None) -> Iterator[list[Touched]]:
    """The current returns of these feeds (that end on `since` or later), some organisations at a time."""
    query = (
        select(
            ReturnVersion.feed,
            ReturnVersion.organisation,
            ReturnVersion.period,
            ReturnVersion.submission_id,
            ReturnVersion.row_count,
        )
        .where(ReturnVersion.replaced_at.is_(None), ReturnVersion.applied_at.is_not(None))
        .where(ReturnVersion.feed.in_(set(feeds)))
        .order_by(ReturnVersion.organisation)
    )
    if since is not None:
        query = query.where(ReturnVersion.end >= since)
    current = session.execute(query).all()
    batch: list[Touched] = []
    size = 0
    for number, one in enumerate(current):
        batch.append(Touched(one.feed, one.organisation, Period.parse(one.period), one.submission_id))
        size += one.row_count
        last = number + 1 == len(current)
        if last or (size > ROWS_AT_ONCE and current[number + 1].organisation != one.organisation):
            yield batch
            batch, size = [], 0


def recompute(session: Session, touched: Sequence[Touched]) -> int | None:
    """Compute the cells that these returns touch, and publish which figures moved; the data version this made."""
    return _recompute(session, touched, book(session)) if touched else None


def _recompute(session: Session, touched: Sequence[Touched], known: Book) -> int:
    instant = now()
    change = _next_change(session, instant)
    moved: dict[str, _Moved] = defaultdict(_Moved)
    for cells, measures_computed, stretches in computed(session, touched, known):
        _replace(session, cells, measures_computed, stretches, change=change, instant=instant)
        for one in cells:
            figures = moved[one.organisation]
            figures.measures.add(one.measure)
            figures.periods.add(one.period)
    aggregates.note_moved(session, {place: one.measures for place, one in moved.items() if one.measures})
    for given in touched:
        moved[given.organisation].periods.add(given.period.text)
        moved[given.organisation].submissions.add(given.submission)
    measures_moved = {measure for one in moved.values() for measure in one.measures}
    signals.judge(session, known.definitions, measures_moved, moved, change=change, instant=instant)
    publish(
        session,
        [
            CellsChanged(
                organisation=organisation,
                measures=sorted(one.measures),
                periods=sorted(one.periods),
                submissions=sorted(one.submissions),
                data_version=change,
                changed_at=instant,
            )
            for organisation, one in sorted(moved.items())
        ],
        source="measures",
    )
    return change


@dataclass(slots=True)
class _Moved:
    """What moved of one organisation, and the submissions that moved it."""

    measures: set[str] = field(default_factory=set)
    periods: set[str] = field(default_factory=set)
    submissions: set[str] = field(default_factory=set)


def _next_change(session: Session, instant: datetime) -> int:
    """The number of a new data version."""
    (number,) = driver(session).execute("insert into change (at) values (%s) returning number", (instant,))
    return int(number[0])


def _replace(
    session: Session,
    cells: Sequence[Figures],
    measures: Sequence[str],
    stretches: Sequence[Stretch],
    *,
    change: int,
    instant: datetime,
) -> None:
    cursor = driver(session).cursor()
    cursor.execute(_END_STANDING, (instant, *map(list, zip(*stretches, strict=True)), list(measures)))
    with cursor.copy(f"COPY cell ({', '.join(COLUMNS)}, known_from, change) FROM STDIN") as copy:
        copy.write(lines(cells, instant.isoformat(), change))


def latest_change(session: Session) -> int:
    """The newest data version (0 before the first)."""
    return session.execute(select(func.coalesce(func.max(Change.number), 0))).scalar_one()
