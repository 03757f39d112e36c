"""Checking a file block by block: what is good goes to the sorter, what is not is told, every row is counted."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import polars as pl

from services.ingest.commands.beside import Beside
from services.ingest.commands.body import Body
from services.ingest.commands.pieces import Pieces
from services.ingest.commands.sorting import Sorter
from services.ingest.problems import UnreadableFile, UnsupportedFormat
from services.ingest.rules import formats
from services.ingest.rules.blocks import LINE, Block
from services.ingest.rules.faults import Tally, Unreadable
from services.ingest.rules.feeds import Feed
from services.ingest.rules.headers import OUR_CODES, OUR_LINE, OUR_MENDS, OUR_ORGANISATION, OUR_PERIOD, match_header
from services.ingest.rules.identifiers import redact, with_seals
from services.ingest.rules.places import ORGANISATION, PERIOD
from services.ingest.rules.pseudonyms import pseudonymise
from services.ingest.rules.reference import Reference
from services.ingest.rules.rows import parquet_of
from services.ingest.rules.validation import Checker
from services.ingest.rules.verdicts import Verdict
from services.ingest.rules.versions import recognised
from services.ingest.settings import IngestSettings

_NO_ROWS = ("empty-file", "header-only")
_WITHHELD = ("identifiable-data", "identifiable-beside-rows", "unexpected-free-text")
Seal = Callable[[pl.DataFrame], pl.DataFrame]
COUNTS = ("received", "accepted", "waiting", "rejected", "duplicate")


@dataclass(frozen=True, slots=True)
class File:
    """What was sent and how, for whom (`organisation` and `period` fill in rows), and on which day."""

    body: Body
    content_type: str | None
    encoding: str | None
    organisation: str | None
    period: str | None
    allowed: frozenset[str] | None
    today: date

    def blocks(self) -> Iterator[Block]:
        """Its rows from the first. Raises Unreadable, perhaps after some blocks."""
        return formats.read_blocks(self.body.chunks(), content_type=self.content_type, encoding=self.encoding)

    def checker(self, feed: Feed, reference: Reference) -> Checker:
        """What judges its rows, block by block."""
        return Checker(
            feed, reference, today=self.today, organisation=self.organisation, period=self.period, allowed=self.allowed
        )


@dataclass(slots=True)
class Checked:
    """What came of checking a file: counts, faults, rows to land and to wait, and what may be kept of the original."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    tally: Tally = field(default_factory=Tally)
    sorter: Sorter = field(default_factory=Sorter)
    waiting: Pieces = field(default_factory=Pieces)
    faults: Pieces = field(default_factory=Pieces)
    rejected: Pieces = field(default_factory=Pieces)
    quarantined: set[tuple[str, str | None]] = field(default_factory=set)
    """The returns (organisation and period) that rejected rows are of, where the rows say so."""
    strangers: set[str] = field(default_factory=set)
    """The organisations that waiting rows are of."""
    errors_of_file: set[str] = field(default_factory=set)
    """The codes of errors on no line, which reject every row."""
    sent_back: list[pl.DataFrame] = field(default_factory=list)
    """The rejected rows (submission and line) that rows of this file say they mend, and whether those are good."""
    redacted: Pieces | None = None
    """The whole file with what identifies withheld; None where it may be kept as it was sent."""

    def reject_everything(self, fault: pl.DataFrame) -> None:
        """The file is refused as a whole: every row counts as rejected, and the fault says why."""
        received = self.counts["received"]
        self.counts = {**dict.fromkeys(COUNTS, 0), "received": received, "rejected": received}
        self.sorter, self.waiting, self.strangers = Sorter(), Pieces(), set()
        self.tell(fault)

    def tell(self, faults: pl.DataFrame) -> None:
        """Count the faults and keep them."""
        if faults.height:
            self.tally.add(faults)
            self.faults.add(parquet_of(faults))


def written_for(file: File, live: Sequence[Feed]) -> Feed:
    """Which of the versions of a feed that may be sent (newest first) the file was written for."""
    if len(live) == 1:
        return live[0]
    first = _first_block(file)
    return live[0] if first is None else recognised(live, first.frame)


def holds_rows(file: File) -> bool:
    """Whether there are rows in it; column names alone, an empty list or nothing at all are no rows."""
    return file.body.size > 0 and _first_block(file) is not None


def _first_block(file: File) -> Block | None:
    try:
        return next(file.blocks(), None)
    except Unreadable as reason:
        if reason.code in _NO_ROWS:
            return None
        raise _problem(reason) from reason


def check(file: File, feed: Feed, reference: Reference, *, settings: IngestSettings) -> Checked:
    """Check every row of a file. Raises UnreadableFile or UnsupportedFormat for one that cannot be read to its end."""
    checker, seal = file.checker(feed, reference), sealing(feed, settings)
    checked, suspicious = Checked(sorter=Sorter(feed)), False
    try:
        with Beside() as beside:
            for number, block in enumerate(file.blocks()):
                if number == 0 and _identifies(block, feed):
                    checked.redacted = Pieces()
                verdict = checker.check(block)
                beside.do(partial(_put_by, block, verdict, feed, checked, seal), rows=block.frame.height)
                suspicious = suspicious or _suspicious(verdict) or _identifies(block, feed)
        if suspicious and checked.redacted is None:
            checked.redacted = Pieces()
            for block in file.blocks():
                checked.redacted.add(parquet_of(redact(block.frame, feed)))
    except Unreadable as reason:
        raise _problem(reason) from reason
    last = checker.finish()
    if (last["severity"] == "error").any():
        refuse(checked, file, feed, reference, last, settings=settings)
    else:
        checked.tell(last)
    return checked


def sealing(feed: Feed, settings: IngestSettings) -> Seal:
    """What makes pseudonyms of the identifiers in rows of a feed, with the key that only ingest has."""
    key = settings.pseudonym_key.get_secret_value()
    return partial(pseudonymise, feed=feed, key=key, key_version=settings.pseudonym_key_version)


def refuse(
    checked: Checked, file: File, feed: Feed, reference: Reference, fault: pl.DataFrame, *, settings: IngestSettings
) -> None:
    """Refuse the file as a whole: every row is rejected and kept as such, and the fault of the file says why."""
    checked.reject_everything(fault)
    set_aside(checked, file, feed, reference, None, fault["code"][0], settings=settings)


def set_aside(
    checked: Checked,
    file: File,
    feed: Feed,
    reference: Reference,
    lines: pl.Series | None,
    reason: str,
    *,
    settings: IngestSettings,
) -> None:
    """Keep the rows on these lines (None: all) as rejected, as those that were found wrong in themselves.

    Why they are rejected came to light after they had been read, so the file is read once more.
    """
    checker = file.checker(feed, reference)
    checked.rejected, checked.quarantined = Pieces(), set()
    with Beside() as beside:
        for block in file.blocks():
            refused = block.frame[LINE] if lines is None else lines
            verdict = checker.check(block, refused=refused, reason=reason)
            keep = partial(_keep_rejected, block, verdict, feed, checked, sealing(feed, settings))
            beside.do(keep, rows=block.frame.height)


def _put_by(block: Block, verdict: Verdict, feed: Feed, checked: Checked, seal: Seal) -> None:
    """Count the rows of one block, and put by what lands, what waits and what is kept of it."""
    for name, count in verdict.counts.items():
        checked.counts[name] += count
    checked.tell(verdict.faults)
    checked.sorter.add(seal(verdict.accepted))
    if verdict.waiting.height:
        waiting = seal(verdict.waiting)
        checked.waiting.add(parquet_of(waiting))
        checked.strangers.update(waiting[ORGANISATION].unique())
    if checked.redacted is not None:
        checked.redacted.add(parquet_of(redact(block.frame, feed, judged_clean=not _suspicious(verdict))))
    if mending := _mending(block.frame):
        good = verdict.outcomes["outcome"] != "rejected"
        checked.sent_back.append(block.frame.select(*mending, LINE, good=good).drop_nulls(OUR_MENDS))
    _keep_rejected(block, verdict, feed, checked, seal)


def _suspicious(verdict: Verdict) -> bool:
    """Whether something in the block identifies somebody."""
    return bool(verdict.faults["code"].is_in(_WITHHELD).any())


def _keep_rejected(block: Block, verdict: Verdict, feed: Feed, checked: Checked, seal: Seal) -> None:
    of_file = verdict.faults.filter((pl.col("severity") == "error") & pl.col("line").is_null())
    checked.errors_of_file.update(of_file["code"])
    if verdict.counts["rejected"]:
        refused = seal(verdict.refused)
        sent = block.frame.filter(pl.col(LINE).is_in(refused[LINE].implode()))
        checked.quarantined.update(refused.select(ORGANISATION, PERIOD).drop_nulls(ORGANISATION).unique().iter_rows())
        checked.rejected.add(parquet_of(quarantined(sent, refused, verdict.faults, feed, checked.errors_of_file)))


def _mending(rows: pl.DataFrame) -> list[pl.Expr]:
    """What says of rows that were sent back which rejected rows they mend; nothing of other rows."""
    said = {OUR_MENDS, OUR_LINE} <= set(rows.columns)
    line = pl.col(OUR_LINE).cast(pl.Int32, strict=False).cast(pl.Int64)  # beyond which no line is kept
    return [pl.col(OUR_MENDS), line] if said else []


def quarantined(
    sent: pl.DataFrame, refused: pl.DataFrame, faults: pl.DataFrame, feed: Feed, of_file: Collection[str] = ()
) -> pl.DataFrame:
    """What is kept of rejected rows, and what they can be searched by: organisation, period, codes of their errors.

    `refused` has the lines of the rows as `sent`, in their order, with places and pseudonyms; see `Verdict`.
    """
    rejected = redact(sent, feed).with_columns(sent.select(_mending(sent)).get_columns())
    errors = faults.filter(pl.col("severity") == "error").drop_nulls("line")
    codes = errors.group_by("line").agg(pl.col("code").unique().sort().alias(OUR_CODES))
    every = pl.concat_list(pl.col(OUR_CODES).fill_null([]), pl.lit(sorted(of_file), dtype=pl.List(pl.String)))
    placed = with_seals(rejected, refused, feed).with_columns(
        refused[ORGANISATION].alias(OUR_ORGANISATION), refused[PERIOD].alias(OUR_PERIOD)
    )
    told = placed.join(codes, left_on=LINE, right_on="line", how="left", maintain_order="left")
    return told.with_columns(every) if of_file else told


def _identifies(block: Block, feed: Feed) -> bool:
    """Whether the block has a column that is declared to identify people, or that the feed does not keep."""
    names = match_header(feed, block.frame.columns).columns.values()
    return any(feed.by_name[name].identifier is not None or not feed.by_name[name].keep for name in names)


_HEADERS = {"unknown-format": {"parameter": "Content-Type"}, "unknown-compression": {"parameter": "Content-Encoding"}}
"""The headers that say what nobody can read."""


def _problem(reason: Unreadable) -> UnreadableFile | UnsupportedFormat:
    place = _HEADERS.get(reason.code) or {"pointer": "" if reason.line is None else f"/{reason.line}"}
    errors = [{"code": reason.code, "message": reason.detail, "hint": reason.hint, **place}]
    kind = UnsupportedFormat if reason.code in _HEADERS else UnreadableFile
    return kind(f"{reason.detail} {reason.hint}".strip(), errors=errors)
