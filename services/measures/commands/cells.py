"""Computing cells: for exactly the returns that changed, replaced by key in one transaction.

The cells of an organisation over a stretch of days are a function of its current returns that overlap it, so the
order in which returns came does not matter. Where a figure can be had both from rows and ready counted, the one that
was received last stands.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl
import structlog
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from services.measures.commands import signals
from services.measures.models import Change, Definition, Feed, ReturnVersion
from services.measures.rules import definitions, figures, rows
from services.measures.rules.feeds import COUNTED, InvalidDefinition
from shared.contracts.measures import CellsChanged
from shared.contracts.periods import Grain, Period
from shared.db import driver, now
from shared.messaging.outbox import publish

ROWS_AT_ONCE = 400_000
LONG_AGO = datetime.min.replace(tzinfo=UTC)
log = structlog.get_logger()


class Touched(NamedTuple):
    """A return that changed."""

    feed: str
    organisation: str
    period: Period


@dataclass(frozen=True, slots=True)
class Book:
    """The live definitions, compiled, and the feeds they read."""

    definitions: Mapping[str, definitions.Definition]
    feeds: Mapping[str, dict[str, Any]]


class _Stretch(NamedTuple):
    """Days of one organisation whose cells of one grain are computed anew."""

    organisation: str
    start: date
    end: date


_EDITION = text(
    """
    select md5(coalesce(string_agg(edition, ',' order by edition), '')) from (
        select measure || md5(definition::text) as edition from definition where status = 'live'
        union all select feed || version || md5(spec::text) from feed
    ) editions
    """
)
_shelf: dict[str, Book] = {}  # compiling eighty definitions costs more than applying one return


def book(session: Session) -> Book:
    """The live definitions against the newest feeds, compiled anew only when one of them is another."""
    edition = session.execute(_EDITION).scalar_one()
    if edition not in _shelf:
        _shelf.clear()
        _shelf[edition] = _compiled(session)
    return _shelf[edition]


def _compiled(session: Session) -> Book:
    """Every live definition, compiled. One that cannot be computed is logged and left out."""
    feeds = {
        one.feed: one.spec
        for one in session.execute(select(Feed.feed, Feed.spec).order_by(Feed.published_at, Feed.version))
    }
    compiled = {}
    for one in session.execute(select(Definition.measure, Definition.definition).where(Definition.status == "live")):
        try:
            compiled[one.measure] = definitions.Definition.compile(one.definition, feeds)
        except InvalidDefinition as reason:
            log.warning("measure cannot be computed", measure=one.measure, reason=str(reason))
    return Book(compiled, feeds)


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


def computed(session: Session, touched: Sequence[Touched], known: Book) -> Iterator["Computed"]:
    """The cells that these returns touch, computed from the current returns, a grain at a time."""
    for grain, chosen in _by_grain(known, {one.feed for one in touched}).items():
        stretches = _stretches(touched, grain)
        current = _current(session, {feed for one in chosen for feed in one.feeds}, stretches)
        cells = _cells(session, current, chosen, known.feeds, stretches, grain)
        yield Computed(cells, [one.measure for one in chosen], stretches)


def recompute(session: Session, touched: Sequence[Touched]) -> None:
    """Compute the cells that these returns touch, and publish which figures moved."""
    if touched:
        _recompute(session, touched, book(session))


def _recompute(session: Session, touched: Sequence[Touched], known: Book) -> None:
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


def _by_grain(known: Book, feeds: set[str]) -> dict[Grain, list[definitions.Definition]]:
    found: dict[Grain, list[definitions.Definition]] = defaultdict(list)
    for one in known.definitions.values():
        if feeds & set(one.feeds):
            found[one.period].append(one)
    return found


def _stretches(touched: Iterable[Touched], grain: Grain) -> list[_Stretch]:
    """The days whose cells depend on these returns: each return's own, widened to whole periods of the grain."""
    found = set()
    for one in touched:
        first, last = Period.of(one.period.start, grain), Period.of(one.period.end, grain)
        start, end = min(first.start, one.period.start), max(last.end, one.period.end)
        found.add(_Stretch(one.organisation, start, end))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class _Current:
    """A current return version that overlaps a stretch."""

    id: str
    feed: str
    organisation: str
    period: Period
    kind: str
    status: str
    received_at: datetime


def _current(session: Session, feeds: set[str], stretches: Sequence[_Stretch]) -> list[_Current]:
    cursor = driver(session).execute(
        """
        select distinct v.id, v.feed, v.organisation, v.period, v.kind, v.status, v.received_at
        from unnest(%s::text[], %s::date[], %s::date[]) as stretch(organisation, first, last)
        join return_version v on v.organisation = stretch.organisation and v.feed = any(%s)
             and v.start <= stretch.last and v."end" >= stretch.first
        where v.replaced_at is null and v.applied_at is not null
        """,
        (*map(list, zip(*stretches, strict=True)), list(feeds)),
    )
    return [
        _Current(identity, feed, organisation, Period.parse(period), kind, status, received_at)
        for identity, feed, organisation, period, kind, status, received_at in cursor
    ]


class Figures(NamedTuple):
    """The figures of one cell to be: all its strata, and where they came from."""

    measure: str
    organisation: str
    period: str
    start: date
    definition_version: str
    strata: list[str]
    numerator: list[float | None]
    denominator: list[float | None]
    dates: list[datetime] | None
    kind: str
    provisional: bool
    versions: list[str]


def _cells(
    session: Session,
    current: Sequence[_Current],
    chosen: Sequence[definitions.Definition],
    feeds: Mapping[str, dict[str, Any]],
    stretches: Sequence[_Stretch],
    grain: Grain,
) -> list[Figures]:
    by_name = {one.measure: one for one in chosen}
    sources = _Sources(current, grain)
    tables = {
        feed: figures.figures(frame, chosen, feed=feed) for feed, frame in _frames(session, current, feeds).items()
    }
    counted = tables.pop(COUNTED, None)
    cells: dict[tuple[str, str, str], tuple[datetime, Figures]] = {}
    for kind, table in (("rows", _joined(tables)), ("counted", counted)):
        if table is None:
            continue
        for measure, organisation, period, strata, numerator, denominator, dates in _grouped(table).iter_rows():
            definition = by_name[measure]
            if kind == "counted":
                behind = sources.counted(organisation, period)
            else:
                behind = sources.behind(organisation, period, (half.feed for half in definition.halves))
            before = cells.get((measure, organisation, period))
            if before is None or sources.received(behind) >= before[0]:
                figure = Figures(
                    measure, organisation, period, Period.parse(period).start, definition.version, strata, numerator,
                    denominator, dates, kind, any(one.status == "provisional" for one in behind),
                    sorted({one.id for one in behind}),
                )  # fmt: skip
                cells[measure, organisation, period] = (sources.received(behind), figure)
    for nil in _nil(current, chosen, grain):
        cells.setdefault((nil.measure, nil.organisation, nil.period), (LONG_AGO, nil))
    inside = _Inside(stretches)
    return [figure for _, figure in cells.values() if inside(figure)]


class _Sources:
    """Which current returns stand behind a figure."""

    def __init__(self, current: Sequence[_Current], grain: Grain) -> None:
        self._found: dict[tuple[str, str, str], list[_Current]] = defaultdict(list)
        for one in current:
            for period in {one.period.text, *_covering(one.period, grain)}:
                self._found[one.feed, one.organisation, period].append(one)

    def behind(self, organisation: str, period: str, feeds: Iterable[str]) -> list[_Current]:
        """The returns of these feeds that fall into the period."""
        return [one for feed in dict.fromkeys(feeds) for one in self._found.get((feed, organisation, period), ())]

    def counted(self, organisation: str, period: str) -> list[_Current]:
        """The return of ready figures for exactly this period."""
        return [one for one in self._found.get((COUNTED, organisation, period), ()) if one.period.text == period]

    @staticmethod
    def received(behind: Sequence[_Current]) -> datetime:
        """When the last of them was received."""
        return max((one.received_at for one in behind), default=LONG_AGO)


def _covering(period: Period, grain: Grain) -> Iterator[str]:
    first, last = Period.of(period.start, grain), Period.of(period.end, grain)
    if (last.end - first.start) <= timedelta(days=366):
        yield from (one.text for one in first.until(last))


class _Inside:
    """Whether a figure lies in the stretches that are computed anew."""

    def __init__(self, stretches: Iterable[_Stretch]) -> None:
        self._by_organisation: dict[str, list[_Stretch]] = defaultdict(list)
        for one in stretches:
            self._by_organisation[one.organisation].append(one)

    def __call__(self, figure: Figures) -> bool:
        return any(one.start <= figure.start <= one.end for one in self._by_organisation[figure.organisation])


def _frames(
    session: Session, current: Sequence[_Current], feeds: Mapping[str, dict[str, Any]]
) -> dict[str, pl.DataFrame]:
    """The rows of the current returns, a frame a feed, each row with its organisation and period."""
    of_feed: dict[str, list[_Current]] = defaultdict(list)
    for one in current:
        if one.kind == "rows" and one.feed in feeds:
            of_feed[one.feed].append(one)
    frames = {}
    for feed, members in of_feed.items():
        places = {one.id: (one.organisation, one.period.text) for one in members}
        cursor = driver(session).execute(
            "select version_id, content_type, rows from return_part where version_id = any(%s)",
            (list(places),),
            binary=True,
        )
        found = [(version, content_type, bytes(body)) for version, content_type, body in cursor]
        if found:
            frame = rows.frame_of([(content_type, body) for _, content_type, body in found], feeds[feed])
            frames[feed] = rows.placed(frame, [places[version] for version, *_ in found])
    return frames


def _joined(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame | None:
    """The figures of all feeds; those whose halves come from two feeds are put together."""
    if not tables:
        return None
    table = pl.concat(tables.values())
    whole = table.filter(pl.col("half") == "both")
    numerators = table.filter(pl.col("half") == "numerator")
    denominators = table.filter(pl.col("half") == "denominator")
    return pl.concat([whole, figures.join_halves(numerators, denominators)])


def _grouped(table: pl.DataFrame) -> pl.DataFrame:
    """A row a cell: its strata, whole first, as lists."""
    return (
        table.sort("measure", "organisation", "period", "stratum")
        .group_by("measure", "organisation", "period", maintain_order=True)
        .agg("stratum", "numerator", "denominator", pl.col("dates").first())
    )


def _nil(current: Sequence[_Current], chosen: Sequence[definitions.Definition], grain: Grain) -> Iterator[Figures]:
    """Cells that say there was nothing to count: of the measures on a feed whose return is nil."""
    for one in current:
        if one.kind == "nil":
            for definition in chosen:
                if definition.numerator.feed == one.feed:
                    period = one.period.text if one.feed == COUNTED else figures.coarsened(one.period.text, grain)
                    yield Figures(
                        definition.measure, one.organisation, period, Period.parse(period).start, definition.version,
                        [""], [None], [None], None, "nil", one.status == "provisional", [one.id],
                    )  # fmt: skip


class Computed(NamedTuple):
    """Cells, the measures they were computed for, and the days that were computed anew."""

    cells: list[Figures]
    measures: list[str]
    stretches: list[_Stretch]


_COLUMNS = ("measure", "organisation", "period", "start", "definition_version", "strata", "numerator", "denominator",
            "dates", "kind", "provisional", "versions", "grain", "known_from", "change")  # fmt: skip


def _replace(
    session: Session,
    cells: Sequence[Figures],
    measures: Sequence[str],
    stretches: Sequence[_Stretch],
    *,
    change: int,
    instant: datetime,
) -> None:
    cursor = driver(session).cursor()
    cursor.execute(
        """
        update cell set known_to = %s
        from unnest(%s::text[], %s::date[], %s::date[]) as stretch(organisation, first, last)
        where cell.known_to is null and cell.organisation = stretch.organisation and cell.measure = any(%s)
          and cell.start between stretch.first and stretch.last
        """,
        (instant, *map(list, zip(*stretches, strict=True)), list(measures)),
    )
    with cursor.copy(f"COPY cell ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
        for one in cells:
            copy.write_row((*one, Period.parse(one.period).grain, instant, change))


def _submissions(session: Session, touched: Sequence[Touched]) -> Iterator[tuple[str, str]]:
    wanted = {(one.feed, one.organisation, one.period.text) for one in touched}
    found = session.execute(
        select(ReturnVersion.feed, ReturnVersion.organisation, ReturnVersion.period, ReturnVersion.submission_id)
        .where(ReturnVersion.replaced_at.is_(None), ReturnVersion.applied_at.is_not(None))
        .where(ReturnVersion.organisation.in_({one.organisation for one in touched}))
    )
    for feed, organisation, period, submission in found:
        if (feed, organisation, period) in wanted:
            yield organisation, submission


def latest_change(session: Session) -> int:
    """The newest data version (0 before the first)."""
    return session.execute(select(func.coalesce(func.max(Change.number), 0))).scalar_one()
