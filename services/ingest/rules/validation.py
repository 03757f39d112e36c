"""Judging the rows of a file: each row by every rule, all in one pass.

Every rule is row-scoped: the rows that break it are rejected and the others land. Three things are of the file: a
column that every row needs and that is absent, a column whose dates were found out too late to be mixed, and
warnings about columns.
"""

from collections.abc import Collection, Mapping
from datetime import date

import numpy as np
import polars as pl

from services.ingest.rules.blocks import LINE, Block
from services.ingest.rules.columns import Columns
from services.ingest.rules.counts import FEED as COUNTS
from services.ingest.rules.counts import unknown_measures
from services.ingest.rules.crosschecks import CrossChecks
from services.ingest.rules.duplicates import NEW, OTHER, SAME, SeenRows
from services.ingest.rules.faults import no_faults, of_the_file
from services.ingest.rules.feeds import Feed
from services.ingest.rules.findings import Findings
from services.ingest.rules.places import ORGANISATION, PERIOD, Places
from services.ingest.rules.reference import Reference
from services.ingest.rules.verdicts import Verdict, verdict

_NOTHING_UNREAD: Mapping[str, pl.Series] = {}


class Checker:
    """Checks the blocks of one file, in order, against a feed and what is known of organisations and measures.

    `organisation` and `period` fill in rows that do not name theirs. `allowed` are the codes the sender may write
    for (None: any). `today` is the day on which a period counts as begun. Raises ValueError where
    `period` is no period.
    """

    def __init__(
        self,
        feed: Feed,
        reference: Reference,
        *,
        today: date,
        organisation: str | None = None,
        period: str | None = None,
        allowed: Collection[str] | None = None,
    ) -> None:
        self._feed = feed
        self._reference = reference
        self._places = Places(feed, reference, today=today, organisation=organisation, period=period, allowed=allowed)
        self._columns = Columns(feed, self._places)
        self._rows = CrossChecks(feed, self._places)
        self._seen = SeenRows()

    def check(self, block: Block, *, refused: pl.Series | None = None, reason: str = "") -> Verdict:
        """Judge the rows of the next block. Raises Unreadable where not one column belongs to the feed.

        `refused` are lines that are rejected whatever they say, for a reason (a fault code) found outside of them.
        """
        found = Findings(block.frame[LINE], block.faults)
        read = self._columns.read(block, found)
        self._rows.judge(read.cells, read.rows, read.unread, found)
        return self._placed(read.rows, found, read.cells, read.unread, refused=refused, reason=reason)

    def recheck(self, waiting: pl.DataFrame) -> Verdict:
        """Judge again rows that waited (a frame of `Verdict.waiting`), now that more is known.

        Only what depends on organisations, periods and measures is judged, and whether two of them turn out to be the
        same record; the rest was found right before.
        """
        rows = waiting.drop(ORGANISATION, PERIOD, LINE)
        found = Findings(waiting[LINE], no_faults())
        content = rows.drop(self._feed.organisation)  # which may name one organisation in two ways
        return self._placed(rows, found, content, _NOTHING_UNREAD, sent=waiting[ORGANISATION])

    def finish(self) -> pl.DataFrame:
        """Faults of the file known only at its end. If there is an error among them nothing of the file may land."""
        late = self._columns.mixed()
        told = [of_the_file("mixed-dates", column=name, severity="error", expected="yyyy-mm-dd") for name in late]
        return pl.concat([no_faults(), *told])

    def _placed(
        self,
        rows: pl.DataFrame,
        found: Findings,
        content: pl.DataFrame,
        unread: Mapping[str, pl.Series],
        *,
        sent: pl.Series | None = None,
        refused: pl.Series | None = None,
        reason: str = "",
    ) -> Verdict:
        """Whose rows they are, for when, and whether they are known already."""
        place = self._places.judge(rows, found, unread, sent=sent)
        waits = place.unknown
        if self._feed.id == COUNTS:
            rows = rows.with_columns(pl.col("measure").str.to_lowercase(), pl.col("stratum").replace("", None))
            self._rows.judge_counts(rows, place, self._reference.measures, found)
            strangers = unknown_measures(rows, self._reference.measures)
            self._tell_waiting(found, strangers, "unknown-measure", "measure", rows["measure"])
            rows = rows.with_columns(pl.col("stratum").fill_null(""))
            waits = waits | strangers
        self._tell_waiting(found, place.unknown, "unknown-organisation", self._feed.organisation[0], place.organisation)
        placed = rows.with_columns(
            place.organisation.alias(ORGANISATION), place.period.alias(PERIOD), found.lines.alias(LINE)
        )
        repeats = self._judge_repeats(placed, found, content, unread)
        if refused is not None:
            found.add(found.lines.is_in(refused.implode()), reason, column=None)
        return verdict(self._feed, placed, found, waits=waits.fill_null(value=False).to_numpy(), repeats=repeats)

    def _tell_waiting(self, found: Findings, rows: pl.Series, code: str, column: str, cells: pl.Series) -> None:
        landing = rows & ~pl.Series(found.rejected)
        found.add(landing, code, column=column, severity="warning", cells=cells)

    def _judge_repeats(
        self, placed: pl.DataFrame, found: Findings, content: pl.DataFrame, unread: Mapping[str, pl.Series]
    ) -> np.ndarray:
        """Which rows say again what an earlier row said; those that say otherwise are faults."""
        if not self._feed.key:
            return np.zeros(placed.height, dtype=bool)
        known = ~found.spoilt
        for place in (placed[ORGANISATION], placed[PERIOD]):
            known &= place.is_not_null().to_numpy() if place.null_count() else True
        for name in self._feed.key:
            known &= ~unread[name].to_numpy() if name in unread else True
        key, lines = placed.select(ORGANISATION, PERIOD, *self._feed.key), found.lines
        if not known.all():
            judged = pl.Series(known)
            key, content, lines = key.filter(judged), content.filter(judged), lines.filter(judged)
        said, earlier = self._seen.judge(key, content, lines)
        every = np.full(placed.height, NEW)
        every[known] = said
        if (every == OTHER).any():
            line = np.zeros(placed.height, dtype=np.int64)
            line[known] = earlier
            hint = pl.select(pl.lit("the same record is on line ") + pl.Series(line).cast(pl.String)).to_series()
            column = self._feed.key[-1]
            found.add(
                pl.Series(every == OTHER),
                "conflicting-duplicate",
                column=column,
                hint=hint,
                expected="each record once",
            )
        same: np.ndarray = every == SAME
        return same
