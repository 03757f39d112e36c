"""Checking a file block by block: what is good goes to the sorter, what is not is told, every row is counted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import polars as pl

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
from services.ingest.settings import IngestSettings

_WITHHELD = ("identifiable-data", "unexpected-free-text")
COUNTS = ("received", "accepted", "waiting", "rejected", "duplicate")


@dataclass(frozen=True, slots=True)
class Sent:
    """How a file was sent, and for whom."""

    content_type: str | None
    encoding: str | None
    organisation: str | None
    period: str | None
    allowed: frozenset[str] | None


@dataclass(slots=True)
class Checked:
    """What came of checking a file: counts, faults, rows to land and to wait, and what may be kept of the original."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    tally: Tally = field(default_factory=Tally)
    sorter: Sorter = field(default_factory=Sorter)
    waiting: list[pl.DataFrame] = field(default_factory=list)
    faults: Pieces = field(default_factory=Pieces)
    rejected: Pieces = field(default_factory=Pieces)
    quarantined: set[str] = field(default_factory=set)
    mended: list[pl.DataFrame] = field(default_factory=list)
    """The rejected rows (submission and line) that good rows of this file are put in the place of."""
    redacted: Pieces | None = None
    """The whole file with what identifies withheld; None where it may be kept as it was sent."""

    def reject_everything(self, fault: pl.DataFrame) -> None:
        """The file is refused as a whole: every row counts as rejected, and the fault says why."""
        received = self.counts["received"]
        self.counts = {**dict.fromkeys(COUNTS, 0), "received": received, "rejected": received}
        self.sorter, self.waiting = Sorter(), []
        self.tell(fault)

    def tell(self, faults: pl.DataFrame) -> None:
        """Count the faults and keep them."""
        if faults.height:
            self.tally.add(faults)
            self.faults.add(parquet_of(faults))


def check(
    body: Body, sent: Sent, feed: Feed, reference: Reference, *, today: date, settings: IngestSettings
) -> Checked:
    """Check every row of a file. Raises UnreadableFile or UnsupportedFormat for one that cannot be read to its end."""
    checker = Checker(
        feed, reference, today=today, organisation=sent.organisation, period=sent.period, allowed=sent.allowed
    )
    checked, suspicious = Checked(), False
    try:
        for number, block in enumerate(_blocks(body, sent)):
            if number == 0 and _identifies(block, feed):
                checked.redacted = Pieces()
            suspicious |= _check_block(block, checker, feed, checked, settings)
        if suspicious and checked.redacted is None:
            checked.redacted = Pieces()
            for block in _blocks(body, sent):
                checked.redacted.add(parquet_of(redact(block.frame, feed)))
    except Unreadable as reason:
        raise _problem(reason) from reason
    last = checker.finish()
    if (last["severity"] == "error").any():
        checked.reject_everything(last)
    else:
        checked.tell(last)
    return checked


def _blocks(body: Body, sent: Sent) -> Iterator[Block]:
    return formats.read_blocks(body.chunks(), content_type=sent.content_type, encoding=sent.encoding)


def _check_block(block: Block, checker: Checker, feed: Feed, checked: Checked, settings: IngestSettings) -> bool:
    """Check one block; whether something in it identifies somebody."""
    verdict = checker.check(block)
    for name, count in verdict.counts.items():
        checked.counts[name] += count
    checked.tell(verdict.faults)
    key, version = settings.pseudonym_key.get_secret_value().encode(), settings.pseudonym_key_version
    checked.sorter.add(pseudonymise(verdict.accepted, feed, key, version))
    if verdict.waiting.height:
        checked.waiting.append(pseudonymise(verdict.waiting, feed, key, version))
    suspicious = bool(verdict.faults["code"].is_in(_WITHHELD).any())
    if checked.redacted is not None:
        checked.redacted.add(parquet_of(redact(block.frame, feed, judged_clean=not suspicious)))
    if {OUR_MENDS, OUR_LINE} <= set(block.frame.columns):
        checked.mended.append(_mended(block, verdict))
    if verdict.counts["rejected"]:
        lines = verdict.outcomes.filter(pl.col("outcome") == "rejected")[LINE]
        rejected = redact(block.frame.filter(pl.col(LINE).is_in(lines.implode())), feed)
        refused = pseudonymise(verdict.refused, feed, key, version)
        checked.quarantined.update(refused[ORGANISATION].drop_nulls().unique())
        checked.rejected.add(parquet_of(_quarantined(with_seals(rejected, refused, feed), refused, verdict.faults)))
    return suspicious or _identifies(block, feed)


def _mended(block: Block, verdict: Verdict) -> pl.DataFrame:
    good = verdict.outcomes.filter(pl.col("outcome") != "rejected")[LINE]
    named = block.frame.filter(pl.col(LINE).is_in(good.implode())).select(
        pl.col(OUR_MENDS).alias("submission_id"), pl.col(OUR_LINE).cast(pl.Int64, strict=False).alias("line")
    )
    return named.drop_nulls().unique(maintain_order=True)


def _quarantined(rejected: pl.DataFrame, refused: pl.DataFrame, faults: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows with what they can be searched by: organisation, period, and the codes of their errors."""
    errors = faults.filter(pl.col("severity") == "error").drop_nulls("line")
    codes = errors.group_by("line").agg(pl.col("code").unique().sort().alias(OUR_CODES))
    return rejected.with_columns(refused[ORGANISATION].alias(OUR_ORGANISATION), refused[PERIOD].alias(OUR_PERIOD)).join(
        codes, left_on=LINE, right_on="line", how="left", maintain_order="left"
    )


def _identifies(block: Block, feed: Feed) -> bool:
    """Whether the block has a column that is declared to identify people, or that the feed does not keep."""
    names = match_header(feed, block.frame.columns).columns.values()
    return any(feed.by_name[name].identifier is not None or not feed.by_name[name].keep for name in names)


def _problem(reason: Unreadable) -> UnreadableFile | UnsupportedFormat:
    place = {} if reason.line is None else {"pointer": f"/{reason.line}"}
    errors = [{"code": reason.code, "message": reason.detail, "hint": reason.hint, **place}]
    kind = UnsupportedFormat if reason.code in ("unknown-format", "unknown-compression") else UnreadableFile
    return kind(f"{reason.detail} {reason.hint}".strip(), errors=errors)
