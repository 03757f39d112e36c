"""Cells: replaced by key for exactly the returns that changed, in one transaction, with the history kept."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from sqlalchemy import func, insert, select
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
    from unnest(%s::text[], %s::date[], %s::date[]) as stretch(organisation, first, last)
    cross join lateral (
        select cell.ctid as place from cell
        where cell.known_to is null and cell.organisation = stretch.organisation and cell.measure = any(%s)
          and cell.start between stretch.first and stretch.last
        offset 0
    ) as standing
))
"""


def recompute_measures(session: Session, measures: Sequence[str]) -> None:
    """Compute every cell of these measures from the current returns, organisation by organisation; end all others."""
    known = book(session)
    chosen = {name: known.definitions[name] for name in measures if name in known.definitions}
    before = latest_change(session)
    for batch in batches(session, {feed for one in chosen.values() for feed in one.feeds}):
        _recompute(session, batch, Book(chosen, known.feeds))
    driver(session).execute(
        "update cell set known_to = %s where known_to is null and measure = any(%s) and change <= %s",
        (now(), list(measures), before),
    )


def batches(session: Session, feeds: Iterable[str], *, since: date | None = None) -> Iterator[list[Touched]]:
    """The current returns of these feeds (that end on `since` or later), some organisations at a time."""
    query = (
        select(ReturnVersion.feed, ReturnVersion.organisation, ReturnVersion.period, ReturnVersion.row_count)
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
        batch.append(Touched(one.feed, one.organisation, Period.parse(one.period)))
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
    change = session.execute(insert(Change).values(at=instant).returning(Change.number)).scalar_one()
    moved: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for cells, measures_computed, stretches in computed(session, touched, known):
        _replace(session, cells, measures_computed, stretches, change=change, instant=instant)
        for one in cells:
            measures, periods = moved[one.organisation]
            measures.add(one.measure)
            periods.add(one.period)
    measures_moved = {measure for measures, _ in moved.values() for measure in measures}
    signals.judge(
        session,
        known.definitions,
        measures_moved,
        {one.organisation for one in touched},
        change=change,
        instant=instant,
    )
    aggregates.note_moved(
        session, {organisation: measures for organisation, (measures, _) in moved.items() if measures}
    )
    submissions: dict[str, set[str]] = defaultdict(set)
    for organisation, submission in _submissions(session, touched):
        submissions[organisation].add(submission)
    for organisation in {one.organisation for one in touched}:
        moved[organisation][1].update(one.period.text for one in touched if one.organisation == organisation)
    publish(
        session,
        [
            CellsChanged(
                organisation=organisation,
                measures=sorted(measures),
                periods=sorted(periods),
                submissions=sorted(submissions[organisation]),
                data_version=change,
                changed_at=instant,
            )
            for organisation, (measures, periods) in sorted(moved.items())
        ],
        source="measures",
    )
    return change


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


def _submissions(session: Session, touched: Sequence[Touched]) -> Iterator[tuple[str, str]]:
    """The organisations of these returns, each with a submission by which one of them stands as it does."""
    feeds, organisations, periods = zip(*touched, strict=True)
    yield from driver(session).execute(
        """
        select touched.organisation, stands.submission_id
        from unnest(%s::text[], %s::text[], %s::text[]) as touched(feed, organisation, period)
        cross join lateral (
            select submission_id from return_version
            where feed = touched.feed and organisation = touched.organisation and period = touched.period
              and replaced_at is null and applied_at is not null
            offset 0
        ) as stands
        """,
        (list(feeds), list(organisations), [one.text for one in periods]),
    )


def latest_change(session: Session) -> int:
    """The newest data version (0 before the first)."""
    return session.execute(select(func.coalesce(func.max(Change.number), 0))).scalar_one()
