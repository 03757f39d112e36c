"""From returns to figures: what the cells of some stretches of days are, computed from the returns that overlap them.

The figures of an organisation over a stretch of days are a function of its current returns, so the order in which
returns came does not matter. Where a figure can be had both from rows and ready counted, the one that was received
last stands.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy.orm import Session

from services.measures.commands.book import Book
from services.measures.commands.stretches import (
    Current,
    Kind,
    Stretch,
    Touched,
    current_returns,
    portions,
    stretches_of,
)
from services.measures.rules import definitions, figures, quality, rows
from services.measures.rules.feeds import COUNTED
from services.measures.rules.rolling import rolled, window
from shared.contracts.periods import Grain, Period
from shared.db import driver

LONG_AGO = datetime.min.replace(tzinfo=UTC)
ROWS_TOGETHER = 100_000
"""So many rows are held in memory at once, unless what must be computed together has more."""


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
    failed: list[str]


class Computed(NamedTuple):
    """Cells, the measures they were computed for, and the days that were computed anew."""

    cells: list[Figures]
    measures: list[str]
    stretches: list[Stretch]


def computed(session: Session, touched: Sequence[Touched], known: Book) -> Iterator["Computed"]:
    """The cells that these returns touch, computed from the current returns, a grain at a time, some rows at a time."""
    for kind, chosen in _of_a_kind(known, {one.feed for one in touched}).items():
        stretches = stretches_of(touched, kind)
        current = current_returns(
            session, {feed for one in chosen for feed in one.feeds}, [kind.reach(o) for o in stretches]
        )
        for some, behind in portions(stretches, current, kind, rows=ROWS_TOGETHER):
            cells = _cells(session, behind, chosen, known.feeds, some, kind)
            yield Computed(cells, [one.measure for one in chosen], some)


def _of_a_kind(known: Book, feeds: set[str]) -> dict[Kind, list[definitions.Definition]]:
    found: dict[Kind, list[definitions.Definition]] = defaultdict(list)
    for one in known.definitions.values():
        if feeds & set(one.feeds):
            found[Kind(one.period, one.rolling)].append(one)
    return found


def _cells(
    session: Session,
    current: Sequence[Current],
    chosen: Sequence[definitions.Definition],
    feeds: Mapping[str, dict[str, Any]],
    stretches: Sequence[Stretch],
    kind_of: Kind,
) -> list[Figures]:
    grain, rolling = kind_of
    by_name = {one.measure: one for one in chosen}
    halves = {one.measure: tuple(dict.fromkeys(half.feed for half in one.halves)) for one in chosen}
    sources = _Sources(current, grain)
    frames = _frames(session, current, chosen, feeds)
    failed = _failed(frames, chosen, grain)
    nil = list(_nil(current, chosen, grain))
    tables = {feed: figures.figures(frame, chosen, feed=feed) for feed, frame in frames.items()}
    counted = tables.pop(COUNTED, None)
    cells: dict[tuple[str, str, str], tuple[datetime, Figures]] = {}
    computed = _joined(tables)
    if computed is not None and rolling > 1:
        computed = rolled(computed, [(one.measure, one.organisation, one.period) for one in nil], rolling)
    for kind, table in (("rows", computed), ("counted", counted)):
        if table is None:
            continue
        for measure, organisation, period, strata, numerator, denominator, dates in _grouped(table).iter_rows():
            definition = by_name[measure]
            if kind == "counted":
                behind = sources.counted(organisation, period)
            else:
                behind = sources.behind(organisation, window(period, rolling), halves[measure])
            before = cells.get((measure, organisation, period))
            if before is None or behind.received >= before[0]:
                figure = Figures(
                    measure, organisation, period, Period.parse(period).start, definition.version, strata, numerator,
                    denominator, dates, kind, behind.provisional, behind.versions,
                    [words for one in window(period, rolling) for words in failed.get((measure, organisation, one), ())]
                    if kind == "rows" else [],
                )  # fmt: skip
                cells[measure, organisation, period] = (behind.received, figure)
    for one in nil:
        cells.setdefault((one.measure, one.organisation, one.period), (LONG_AGO, one))
    inside = _Inside(stretches)
    return [figure for _, figure in cells.values() if inside(figure)]


class _Behind(NamedTuple):
    """What stands behind a figure: when the last of its returns was received, whether any may change, and their ids."""

    received: datetime
    provisional: bool
    versions: list[str]

    @classmethod
    def of(cls, returns: Sequence[Current]) -> "_Behind":
        return cls(
            max((one.received_at for one in returns), default=LONG_AGO),
            any(one.status == "provisional" for one in returns),
            sorted({one.id for one in returns}),
        )


class _Sources:
    """Which current returns stand behind a figure; the same stand behind that of many measures."""

    def __init__(self, current: Sequence[Current], grain: Grain) -> None:
        self._found: dict[tuple[str, str, str], list[Current]] = defaultdict(list)
        self._told: dict[tuple[str, tuple[str, ...], tuple[str, ...]], _Behind] = {}
        for one in current:
            for period in {one.period.text, *_covering(one.period, grain)}:
                self._found[one.feed, one.organisation, period].append(one)

    def behind(self, organisation: str, periods: tuple[str, ...], feeds: tuple[str, ...]) -> _Behind:
        """Of the returns of these feeds that fall into the periods."""
        key = (organisation, periods, feeds)
        if key not in self._told:
            self._told[key] = _Behind.of([
                one for period in periods for feed in feeds for one in self._found.get((feed, organisation, period), ())
            ])  # fmt: skip
        return self._told[key]

    def counted(self, organisation: str, period: str) -> _Behind:
        """Of the return of ready figures for exactly this period."""
        sent = self._found.get((COUNTED, organisation, period), ())
        return _Behind.of([one for one in sent if one.period.text == period])


def _covering(period: Period, grain: Grain) -> Iterator[str]:
    first, last = Period.of(period.start, grain), Period.of(period.end, grain)
    if (last.end - first.start) <= timedelta(days=366):
        yield from (one.text for one in first.until(last))


class _Inside:
    """Whether a figure lies in the stretches that are computed anew."""

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        self._by_organisation: dict[str, list[Stretch]] = defaultdict(list)
        for one in stretches:
            self._by_organisation[one.organisation].append(one)

    def __call__(self, figure: Figures) -> bool:
        return any(one.start <= figure.start <= one.end for one in self._by_organisation[figure.organisation])


def _frames(
    session: Session,
    current: Sequence[Current],
    chosen: Sequence[definitions.Definition],
    feeds: Mapping[str, dict[str, Any]],
) -> dict[str, pl.DataFrame]:
    """The rows of the current returns, a frame a feed, each row with its organisation and period.

    Only the columns that the definitions read: a third of those of births.
    """
    of_feed: dict[str, list[Current]] = defaultdict(list)
    for one in current:
        if one.kind == "rows" and one.feed in feeds:
            of_feed[one.feed].append(one)
    frames = {}
    for feed, members in of_feed.items():
        places = {one.id: (one.organisation, one.period.text) for one in members}
        query = "select version_id, content_type, rows from return_part where version_id = any(%s) order by version_id"
        found = driver(session).execute(query, (list(places),), binary=True).fetchall()
        if found:
            used = None if feed == COUNTED else frozenset().union(*(one.columns(feed) for one in chosen))
            left = {
                one.id: one.row_count for one in members
            }  # which of the parts of a return its rows are in is no matter
            frame = rows.frame_of(
                [(content_type, body) for _, content_type, body in found],
                feeds[feed],
                only=used,
                heights=[left.pop(version, 0) for version, *_ in found],
            )
            frames[feed] = rows.placed(frame, [places[version] for version, *_ in found])
    return frames


def _failed(
    frames: Mapping[str, pl.DataFrame], chosen: Sequence[definitions.Definition], grain: Grain
) -> Mapping[tuple[str, str, str], list[str]]:
    """The quality gates that figures fail, by measure, organisation and period."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for feed, frame in frames.items():
        gated = [one for one in chosen if any(gate.feed == feed for gate in one.gates)]
        if gated:
            half = next(half for half in gated[0].halves if half.feed == feed)
            period = figures.figure_period(frame, half.day, grain)
            asked = [(one.measure, one.gates) for one in gated]
            for key, words in quality.failures(frame, period, asked, feed=feed).items():
                found[key] += words
    return found


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


def _nil(current: Sequence[Current], chosen: Sequence[definitions.Definition], grain: Grain) -> Iterator[Figures]:
    """Cells that say there was nothing to count: of the measures on a feed whose return is nil."""
    for one in current:
        if one.kind == "nil":
            for definition in chosen:
                if definition.numerator.feed == one.feed:
                    period = one.period.text if one.feed == COUNTED else figures.coarsened(one.period.text, grain)
                    yield Figures(
                        definition.measure, one.organisation, period, Period.parse(period).start, definition.version,
                        [""], [None], [None], None, "nil", one.status == "provisional", [one.id], [],
                    )  # fmt: skip
