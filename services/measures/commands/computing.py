"""From returns to figures: what the cells of some stretches of days are, computed from the returns that overlap them.

The figures of an organisation over a stretch of days are a function of its current returns, so the order in which
returns came does not matter. Where a figure can be had both from rows and ready counted, the one that was received
last stands.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

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
from services.measures.rules.feeds import COUNTED, Feed
from services.measures.rules.rolling import rolled, window
from shared.contracts.periods import Grain, Period
from shared.db import driver

LONG_AGO = datetime.min.replace(tzinfo=UTC)
_HALVES = ("numerator", "denominator")
ROWS_TOGETHER = 50_000
"""So many rows are held in memory at once, unless what must be computed together has more. Ten times as many are no
faster."""


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


def computed(session: Session, touched: Sequence[Touched], known: Book) -> Iterator[Computed]:
    """The cells that these returns touch, computed from the current returns, a grain at a time, some rows at a time."""
    for group in _groups(known, frozenset(one.feed for one in touched)):
        stretches = stretches_of(touched, group.kind)
        current = current_returns(session, group.feeds, [group.kind.reach(one) for one in stretches])
        for some, behind in portions(stretches, current, group.kind, rows=ROWS_TOGETHER):
            yield Computed(_cells(session, behind, group, known.feeds, some), list(group.by_name), some)


@dataclass(frozen=True, slots=True)
class _Group:
    """Measures that are computed together: of one grain, each figure of as many periods.

    `halves` are the feeds from whose rows a measure is counted, `columns` those that are read of each feed.
    """

    kind: Kind
    by_name: Mapping[str, definitions.Definition]
    halves: Mapping[str, tuple[str, ...]]
    columns: Mapping[str, frozenset[str] | None]

    @property
    def chosen(self) -> tuple[definitions.Definition, ...]:
        """The measures."""
        return tuple(self.by_name.values())

    @property
    def feeds(self) -> set[str]:
        """The feeds whose returns move them."""
        return set(self.columns)


@lru_cache(maxsize=50)
def _groups(known: Book, touched: frozenset[str]) -> list[_Group]:
    """The measures that returns of these feeds move."""
    found: dict[Kind, list[definitions.Definition]] = defaultdict(list)
    for one in known.definitions.values():
        if not touched.isdisjoint(one.feeds):
            found[Kind(one.period, one.rolling)].append(one)
    return [
        _Group(
            kind,
            {one.measure: one for one in chosen},
            {one.measure: tuple(dict.fromkeys(half.feed for half in one.halves)) for one in chosen},
            {feed: _columns(chosen, feed) for feed in {feed for one in chosen for feed in one.feeds}},
        )
        for kind, chosen in found.items()
    ]


def _columns(chosen: Iterable[definitions.Definition], feed: str) -> frozenset[str] | None:
    """The columns that are read of a feed: a third of those of births, all of ready figures."""
    return None if feed == COUNTED else frozenset().union(*(one.columns(feed) for one in chosen))


def _cells(
    session: Session, current: Sequence[Current], group: _Group, feeds: Mapping[str, Feed], stretches: Sequence[Stretch]
) -> list[Figures]:
    grain, rolling = group.kind
    sources = _Sources(current, grain)
    frames = _frames(session, current, group, feeds)
    failed = _failed(frames, group.chosen, grain)
    nil = list(_nil(current, group.chosen, grain))
    tables = {feed: figures.figures(frame, group.chosen, feed=feed) for feed, frame in frames.items()}
    counted = tables.pop(COUNTED, None)
    cells: dict[tuple[str, str, str], tuple[datetime, Figures]] = {}
    computed = _joined(tables, current, group.chosen, grain)
    if computed is not None and rolling > 1:
        computed = rolled(computed, [(one.measure, one.organisation, one.period) for one in nil], rolling)
    inside = _Inside(stretches)
    for kind, table in (("rows", computed), ("counted", counted)):
        if table is None:
            continue
        for measure, organisation, period, strata, numerator, denominator, dates in _grouped(table).iter_rows():
            if not inside(organisation, period):
                continue
            if kind == "counted":
                behind = sources.counted(organisation, period)
            else:
                behind = sources.behind(organisation, window(period, rolling), group.halves[measure])
            before = cells.get((measure, organisation, period))
            if before is None or behind.received >= before[0]:
                figure = Figures(
                    measure, organisation, period, Period.parse(period).start, group.by_name[measure].version, strata,
                    numerator, denominator, dates, kind, behind.provisional, behind.versions,
                    [words for one in window(period, rolling) for words in failed.get((measure, organisation, one), ())]
                    if kind == "rows" and failed else [],
                )  # fmt: skip
                whole = figure if before is None or "" in strata else _in_strata(figure, before[1])
                cells[measure, organisation, period] = (behind.received, whole)
    for one in nil:
        if inside(one.organisation, one.period):
            cells.setdefault((one.measure, one.organisation, one.period), (LONG_AGO, one))
    return [figure for _, figure in cells.values()]


def _in_strata(later: Figures, earlier: Figures) -> Figures:
    """The later figure, which says nothing of the whole, takes the place of the earlier in its own strata only."""
    halves = {
        stratum: half
        for one in (earlier, later)
        for stratum, *half in zip(one.strata, one.numerator, one.denominator, strict=True)
    }
    strata = sorted(halves)
    return later._replace(
        strata=strata,
        numerator=[halves[stratum][0] for stratum in strata],
        denominator=[halves[stratum][1] for stratum in strata],
        dates=earlier.dates,
        provisional=earlier.provisional or later.provisional,
        versions=sorted({*earlier.versions, *later.versions}),
        failed=earlier.failed,
    )


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
    """Whether a period begins in the stretches of an organisation that are computed anew."""

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        self._of_organisation: dict[str, list[Stretch]] = defaultdict(list)
        self._told: dict[tuple[str, str], bool] = {}
        for one in stretches:
            self._of_organisation[one.organisation].append(one)

    def __call__(self, organisation: str, period: str) -> bool:
        told = self._told.get((organisation, period))
        if told is None:
            day = Period.parse(period).start
            told = any(one.start <= day <= one.end for one in self._of_organisation[organisation])
            self._told[organisation, period] = told
        return told


def _frames(
    session: Session, current: Sequence[Current], group: _Group, feeds: Mapping[str, Feed]
) -> dict[str, pl.DataFrame]:
    """The rows of the current returns, a frame a feed, each row with its organisation and period."""
    of_feed: dict[str, list[Current]] = defaultdict(list)
    for one in current:
        if one.kind == "rows" and one.feed in feeds:
            of_feed[one.feed].append(one)
    return {
        feed: frame
        for feed, members in of_feed.items()
        if (frame := _frame(session, members, feeds[feed], group)) is not None
    }


def _frame(session: Session, members: Sequence[Current], feed: Feed, group: _Group) -> pl.DataFrame | None:
    """The rows of these returns of one feed; None if nothing is kept of them."""
    query = "select version_id, content_type, rows from return_part where version_id = any(%b) order by version_id"
    found = driver(session).execute(query, ([one.id for one in members],), binary=True).fetchall()
    if not found:
        return None
    places = {one.id: (one.organisation, one.period.text) for one in members}
    left = {one.id: one.row_count for one in members}  # in which of the parts of a return they are is no matter
    bodies = [(content_type, body) for _, content_type, body in found]
    heights = [left.pop(version, 0) for version, *_ in found]
    frame = rows.frame_of(bodies, feed, only=group.columns[feed.id], heights=heights)
    return rows.placed(frame, [places[version] for version, *_ in found])


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


def _joined(
    tables: Mapping[str, pl.DataFrame],
    current: Sequence[Current],
    chosen: Sequence[definitions.Definition],
    grain: Grain,
) -> pl.DataFrame | None:
    """The figures of all feeds; those whose halves come from two feeds are put together."""
    if not tables:
        return None
    table = pl.concat(tables.values())
    if (table["half"] == "both").all():
        return table
    whole, numerators, denominators = (table.filter(pl.col("half") == half) for half in ("both", *_HALVES))
    none = figures.nothing(_nil_halves(current, chosen, grain))
    of, out_of = (none.filter(pl.col("half") == half) for half in _HALVES)
    joined = figures.join_halves(
        _with_nothing(numerators, of, beside=denominators), _with_nothing(denominators, out_of, beside=numerators)
    )
    return pl.concat([whole, joined])


def _nil_halves(
    current: Sequence[Current], chosen: Sequence[definitions.Definition], grain: Grain
) -> Iterator[tuple[str, str, str, str]]:
    """Of which measure, organisation, period and half it was said that there was nothing."""
    for one in current:
        if one.kind == "nil":
            for definition in chosen:
                for name, half in zip(_HALVES, definition.halves, strict=False):
                    if half.feed == one.feed:
                        yield definition.measure, one.organisation, figures.coarsened(one.period.text, grain), name


def _with_nothing(half: pl.DataFrame, none: pl.DataFrame, *, beside: pl.DataFrame) -> pl.DataFrame:
    """The rows of one half, and 0 where its return is nil `beside` figures of the other."""
    said = none.join(half, on=figures.KEYS, how="anti").join(beside, on=figures.KEYS, how="semi")
    return pl.concat([half, said])


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
