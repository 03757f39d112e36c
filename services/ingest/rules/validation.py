"""Judging the rows of a file: each row by every rule, all in one pass.

Every rule is row-scoped: the rows that break it are rejected and the others land. Three things are of the file: a
column that every row needs and that is absent, a column whose dates were found out too late to be mixed, and
warnings about columns.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from services.ingest.rules.blocks import LINE, Block
from services.ingest.rules.casts import DTYPES, Typed, cleaned, fast, typed
from services.ingest.rules.conditions import broken, fields_of, met
from services.ingest.rules.counts import FEED as COUNTS
from services.ingest.rules.counts import count_findings, unknown_measures
from services.ingest.rules.dates import Written
from services.ingest.rules.declared import BROUGHT_BACK, brought_back, checked_numbers
from services.ingest.rules.duplicates import NEW, OTHER, SAME, SeenRows
from services.ingest.rules.faults import WITHHELD, Unreadable, no_faults, of_the_file
from services.ingest.rules.feeds import Feed, Field
from services.ingest.rules.findings import Findings
from services.ingest.rules.headers import Header, match_header
from services.ingest.rules.identity import identifiable, may_identify, names_a_person, prose
from services.ingest.rules.places import ORGANISATION, PERIOD, Places
from services.ingest.rules.pseudonyms import SEALABLE
from services.ingest.rules.reference import Reference

_IDENTIFIABLE = "identifiable-data"
ACCEPTED, WAITING, REJECTED, DUPLICATE = "accepted", "waiting", "rejected", "duplicate"
_OUTCOMES = pl.Series([ACCEPTED, REJECTED, DUPLICATE, WAITING])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the rows of a block.

    `accepted` and `waiting` have every kept field of the feed by its canonical name and type, then `_organisation`
    (code), `_period` (as the contract writes it) and `line`; in a waiting row `_organisation` is as sent where it is
    not known. `faults` are of `faults.FAULTS`. `outcomes` has `line` and `outcome` for every row received.
    `refused` has the line of each rejected row, its organisation and period as far as they are known, and its declared
    identifiers where they are valid and its organisation is in no doubt.
    Declared identifiers are still in the clear: `pseudonyms.pseudonymise` comes next.
    """

    accepted: pl.DataFrame
    waiting: pl.DataFrame
    faults: pl.DataFrame
    outcomes: pl.DataFrame
    refused: pl.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """`received`, `accepted`, `waiting`, `rejected`, `duplicate`; the first is the sum of the others."""
        tally = dict.fromkeys((ACCEPTED, WAITING, REJECTED, DUPLICATE), 0)
        tally.update(self.outcomes["outcome"].value_counts().iter_rows())
        return {"received": self.outcomes.height, **tally}


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
        self._types = {one.name: one.type for one in feed.fields}
        self._written = {one.name: Written() for one in feed.fields}
        self._seen = SeenRows()
        self._told: set[tuple[str, str]] = set()

    def check(self, block: Block) -> Verdict:
        """Judge the rows of the next block. Raises Unreadable where not one column belongs to the feed."""
        header = match_header(self._feed, block.frame.columns)
        if not header.columns:
            raise Unreadable("header-not-recognised", f"The {self._feed.title} feed has none of these columns.")
        found = Findings(block.frame[LINE], block.faults)
        self._judge_header(header, found)
        self._judge_strangers(block.frame, header, found)
        cells = block.frame.select(pl.col(sent).alias(name) for sent, name in header.columns.items())
        cells = cells if block.tidy else cleaned(cells)
        columns = self._judge_cells(cells, found)
        rows = self._rows(columns, len(found.lines))
        unread = {name: one.code.is_not_null() for name, one in columns.items() if one.code is not None}
        self._judge_missing(cells, rows, found)
        self._judge_rules(rows, unread, found)
        return self._placed(rows, found, unread, cells)

    def recheck(self, waiting: pl.DataFrame) -> Verdict:
        """Judge again rows that waited (a frame of `Verdict.waiting`), now that more is known.

        Only what depends on organisations, periods and measures is judged; the rest was found right before.
        """
        rows = waiting.drop(ORGANISATION, PERIOD, LINE)
        found = Findings(waiting[LINE], no_faults())
        return self._placed(rows, found, {}, None, sent=waiting[ORGANISATION])

    def finish(self) -> pl.DataFrame:
        """Faults of the file known only at its end. If there is an error among them nothing of the file may land."""
        late = [name for name, written in self._written.items() if written.too_late]
        told = [of_the_file("mixed-dates", column=name, severity="error", expected="yyyy-mm-dd") for name in late]
        return pl.concat([no_faults(), *told])

    # columns

    def _judge_header(self, header: Header, found: Findings) -> None:
        for name in header.unknown:
            self._tell(found, "unknown-column", name)
        for name in header.repeated:
            self._tell(found, "duplicate-column", name)
        for name in header.absent:
            field = self._feed.by_name[name]
            if field.default is not None:
                self._tell(found, "default-used", name, found=field.default, expected=field.expected)
            elif field.required and not self._places.fills(name):
                found.rejected[:] = True
                self._tell(found, "missing-column", name, severity="error", expected=field.expected, hint=field.hint)
            elif field.recommended:
                self._tell(found, "recommended-column", name, expected=field.expected)

    def _tell(self, findings: Findings, code: str, column: str, **said: str) -> None:
        """A fault of the file is told once."""
        if (code, column) not in self._told:
            self._told.add((code, column))
            findings.add_for_file(code, column=column, **said)  # type: ignore[arg-type]

    def _judge_strangers(self, frame: pl.DataFrame, header: Header, found: Findings) -> None:
        """Columns that are not part of the feed must not identify anybody either."""
        for name in (*header.unknown, *header.repeated):
            cells = frame[name]
            guilty = cells.is_not_null() if names_a_person(name) else identifiable(cells)
            found.add(guilty, "identifiable-data", column=name, found=WITHHELD)
            found.add(prose(cells) & ~guilty, "unexpected-free-text", column=name, found=WITHHELD)

    def _judge_cells(self, cells: pl.DataFrame, found: Findings) -> dict[str, Typed]:
        fields = [self._feed.by_name[name] for name in cells.columns]
        values = fast(fields, cells)
        suspect = self._suspect_texts(cells)
        brought = self._brought_back(cells)
        columns = {}
        for field in fields:
            one = typed(field, cells[field.name], values[field.name], self._written[field.name])
            if field.identifier == "nhs_number":
                one = checked_numbers(one)
            if field.name in brought:
                one = brought_back(field, cells[field.name], one)
            columns[field.name] = self._judge_column(field, cells[field.name], one, found, field.name in suspect)
        return columns

    def _brought_back(self, cells: pl.DataFrame) -> frozenset[str]:
        """The columns of text in which some cell is what we put there ourselves in place of what identifies."""
        names = [name for name in cells.columns if self._feed.by_name[name].type == "text"]
        told = cells.select(pl.col(names).str.contains(BROUGHT_BACK).any()) if names else pl.DataFrame()
        return frozenset(name for name in told.columns if told[name][0])

    def _suspect_texts(self, cells: pl.DataFrame) -> frozenset[str]:
        """The columns of plain text in which some cell may identify somebody."""
        names = [
            n for n in cells.columns if self._feed.by_name[n].type == "text" and not self._feed.by_name[n].identifier
        ]
        told = cells.select(may_identify(pl.col(names)).any()) if names else pl.DataFrame()
        return frozenset(name for name in told.columns if told[name][0])

    def _judge_column(self, field: Field, cells: pl.Series, one: Typed, found: Findings, suspect: bool) -> Typed:
        """Say what is wrong in the cells of one column. Valid values of a type other than text identify nobody."""
        if field.identifier is None and (suspect or one.code is not None):
            doubted = cells if field.type == "text" or one.code is None else cells.set(one.code.is_null(), None)
            guilty = identifiable(doubted, record_ids=field.name in self._feed.key)
            found.add(guilty, _IDENTIFIABLE, column=field.name, found=WITHHELD)
            one = one.but(guilty, _IDENTIFIABLE) if guilty.any() else one
        if one.code is None or one.hint is None:
            return one
        for code in one.code.drop_nulls().unique().sort():
            if code != _IDENTIFIABLE:
                found.add(
                    one.code == code,
                    code,
                    column=field.name,
                    cells=None if field.identifier else cells,
                    found=WITHHELD if field.identifier else None,
                    hint=_or(one.hint, field.hint),
                    expected=field.expected,
                    example=field.example,
                )
        return one

    def _rows(self, columns: Mapping[str, Typed], height: int) -> pl.DataFrame:
        """The typed rows: every field of the feed, with defaults and nulls for absent columns."""
        present = pl.DataFrame([one.values.alias(name) for name, one in columns.items()])
        if not columns:
            present = pl.DataFrame({LINE: pl.int_range(height, eager=True)})
        return present.select(
            pl.col(f.name) if f.name in columns else _usual(f).alias(f.name) for f in self._feed.fields
        )

    # rows

    def _judge_missing(self, cells: pl.DataFrame, rows: pl.DataFrame, found: Findings) -> None:
        bare = self._bare(rows)
        for column in cells:
            name = column.name
            field = self._feed.by_name[name]
            if not field.required or self._places.fills(name) or not column.null_count():
                continue
            missing = column.is_null()
            if bare is not None and not self._places.names(name) and name not in self._feed.key:
                missing = missing & ~bare
            found.add(
                missing,
                "missing-value",
                column=name,
                expected=field.expected,
                hint=field.hint,
                example=field.example,
            )

    def _bare(self, rows: pl.DataFrame) -> pl.Series | None:
        """Rows that need say no more than whose they are: nil returns, and records to be deleted."""
        nil, action = self._feed.nil_column, self._feed.action_column
        if nil is not None:
            return rows[nil].fill_null(value=False)
        return (rows[action] == "delete").fill_null(value=False) if action is not None else None

    def _judge_rules(self, rows: pl.DataFrame, unread: Mapping[str, pl.Series], found: Findings) -> None:
        """Cross-field rules, in rows where every field they read could be read."""
        if not self._feed.rules:
            return
        breaks = rows.select(
            (
                broken(rule.check, self._types) & (met(rule.where, self._types) if rule.where else pl.lit(value=True))
            ).alias(str(n))
            for n, rule in enumerate(self._feed.rules)
        )
        for n, rule in enumerate(self._feed.rules):
            failing = breaks[str(n)] & ~pl.Series(found.spoilt)
            if not failing.any():
                continue
            for name in fields_of(rule.check, self._types) | (
                fields_of(rule.where, self._types) if rule.where else set()
            ):
                failing = failing & ~unread[name] if name in unread else failing
            found.add(
                failing,
                rule.code,
                column=rule.columns[0],
                severity=rule.severity,
                found=_together(rows, rule.columns, self._feed, failing),
                expected=rule.expected,
                hint=rule.hint,
            )

    def _placed(
        self,
        rows: pl.DataFrame,
        found: Findings,
        unread: Mapping[str, pl.Series],
        cells: pl.DataFrame | None,
        sent: pl.Series | None = None,
    ) -> Verdict:
        """Whose rows they are, for when, and whether they are known already."""
        place = self._places.judge(rows, found, unread, sent=sent)
        waits = place.unknown
        if self._feed.id == COUNTS:
            rows = rows.with_columns(pl.col("measure").str.to_lowercase(), pl.col("stratum").replace("", None))
            for bad, code, column, expected, hint in count_findings(
                rows, place.period, place.grain, self._reference.measures
            ):
                shown = _together(rows, ("numerator", "denominator") if "than" in code else (column,), self._feed, bad)
                found.add(bad, code, column=column, found=shown, expected=expected, hint=hint)
            strangers = unknown_measures(rows, self._reference.measures)
            self._tell_waiting(found, strangers, "unknown-measure", "measure", rows["measure"])
            rows = rows.with_columns(pl.col("stratum").fill_null(""))
            waits = waits | strangers
        self._tell_waiting(found, place.unknown, "unknown-organisation", self._feed.organisation[0], place.organisation)
        placed = rows.with_columns(
            place.organisation.alias(ORGANISATION), place.period.alias(PERIOD), found.lines.alias(LINE)
        )
        repeats = self._judge_repeats(placed, found, unread, cells)
        return self._verdict(placed, found, waits.fill_null(value=False).to_numpy(), repeats)

    def _tell_waiting(self, found: Findings, rows: pl.Series, code: str, column: str, cells: pl.Series) -> None:
        landing = rows & ~pl.Series(found.rejected)
        found.add(landing, code, column=column, severity="warning", cells=cells)

    def _judge_repeats(
        self, placed: pl.DataFrame, found: Findings, unread: Mapping[str, pl.Series], cells: pl.DataFrame | None
    ) -> np.ndarray:
        """Which rows say again what an earlier row said; those that say otherwise are faults."""
        if not self._feed.key or cells is None:
            return np.zeros(placed.height, dtype=bool)
        known = placed[ORGANISATION].is_not_null() & placed[PERIOD].is_not_null() & ~pl.Series(found.spoilt)
        for name in self._feed.key:
            known = known & ~unread[name] if name in unread else known
        whole = bool(known.all())
        key = placed.select(ORGANISATION, PERIOD, *self._feed.key)
        content = cells
        lines = found.lines
        if not whole:
            key, content, lines = key.filter(known), content.filter(known), lines.filter(known)
        verdict, earlier = self._seen.judge(key, content, lines)
        every = np.full(placed.height, NEW)
        every[known.to_numpy()] = verdict
        if (every == OTHER).any():
            line = np.zeros(placed.height, dtype=np.int64)
            line[known.to_numpy()] = earlier
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

    def _verdict(self, placed: pl.DataFrame, found: Findings, waits: np.ndarray, repeats: np.ndarray) -> Verdict:
        rejected = found.rejected
        repeats = repeats & ~rejected
        waits = waits & ~rejected & ~repeats
        outcome = np.select([rejected, repeats, waits], [1, 2, 3], 0)
        kept = placed.drop([one.name for one in self._feed.fields if not one.keep and one.name in placed.columns])
        landed = ~(rejected | repeats | waits)
        return Verdict(
            accepted=kept if landed.all() else kept.filter(pl.Series(landed)),
            waiting=kept.filter(pl.Series(waits)),
            faults=found.faults,
            outcomes=pl.DataFrame({LINE: found.lines, "outcome": _OUTCOMES.gather(outcome)}),
            refused=self._refused(placed.filter(pl.Series(rejected)), found.faults),
        )

    def _refused(self, rejected: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
        names = [one.name for one in self._feed.fields if one.identifier in SEALABLE]
        doubted = told.filter(pl.col("column").is_in(self._feed.organisation) & (pl.col("severity") == "error"))
        sure = rejected[ORGANISATION].is_not_null() & ~rejected[LINE].is_in(doubted["line"].drop_nulls().implode())
        return rejected.select(LINE, ORGANISATION, PERIOD, *(pl.when(sure).then(pl.col(name)) for name in names))


def _usual(field: Field) -> pl.Expr:
    """The value of a field whose column is absent: its default, read like any other value, or null."""
    if field.default is None:
        return pl.lit(None, dtype=DTYPES[field.type])
    cells = pl.DataFrame({field.name: [field.default]})
    one = typed(field, cells[field.name], fast([field], cells)[field.name], Written())
    return pl.lit(one.values[0], dtype=DTYPES[field.type])


def _or(hint: pl.Series, otherwise: str) -> pl.Series:
    """The hint for a value, or the feed's hint for its column where there is none."""
    return hint.set((hint == "").fill_null(value=True), otherwise)


def _together(rows: pl.DataFrame, columns: tuple[str, ...], feed: Feed, chosen: pl.Series) -> pl.Series:
    """The values that a rule speaks of, `falls=3, falls_with_injury=4`, where chosen; no identifiers and no text."""
    shown = [name for name in columns if feed.by_name[name].identifier is None and feed.by_name[name].type != "text"]
    parts = [pl.format(name + "={}", pl.col(name).cast(pl.String).fill_null("blank")) for name in shown]
    said = pl.concat_str(parts, separator=", ") if parts else pl.lit(WITHHELD)
    return rows.select(pl.when(chosen.fill_null(value=False)).then(said)).to_series()
