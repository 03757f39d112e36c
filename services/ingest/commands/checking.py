"""Checking a file block by block: what is good goes to the sorter, what is not is told, every row is counted."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import polars as pl
import zstandard

from services.ingest.commands.body import Body
from services.ingest.commands.sorting import Sorter
from services.ingest.problems import UnreadableFile, UnsupportedFormat
from services.ingest.rules import formats
from services.ingest.rules.blocks import LINE, Block
from services.ingest.rules.faults import Tally, Unreadable
from services.ingest.rules.feeds import Feed
from services.ingest.rules.headers import match_header
from services.ingest.rules.identifiers import redact
from services.ingest.rules.pseudonyms import pseudonymise
from services.ingest.rules.reference import Reference
from services.ingest.rules.rows import parquet_of
from services.ingest.rules.validation import Checker
from services.ingest.settings import IngestSettings

ZSTD = "application/zstd"

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
    faults: list[bytes] = field(default_factory=list)
    rejected: list[bytes] = field(default_factory=list)
    identifying: bool = False

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
            self.faults.append(parquet_of(faults))


def check(
    body: Body, sent: Sent, feed: Feed, reference: Reference, *, today: date, settings: IngestSettings
) -> Checked:
    """Check every row of a file. Raises UnreadableFile or UnsupportedFormat for one that cannot be read to its end."""
    checker = Checker(
        feed, reference, today=today, organisation=sent.organisation, period=sent.period, allowed=sent.allowed
    )
    checked = Checked()
    try:
        for block in formats.read_blocks(body.chunks(), content_type=sent.content_type, encoding=sent.encoding):
            _check_block(block, checker, feed, checked, settings)
    except Unreadable as reason:
        raise _problem(reason) from reason
    last = checker.finish()
    if (last["severity"] == "error").any():
        checked.reject_everything(last)
    else:
        checked.tell(last)
    return checked


def _check_block(block: Block, checker: Checker, feed: Feed, checked: Checked, settings: IngestSettings) -> None:
    verdict = checker.check(block)
    for name, count in verdict.counts.items():
        checked.counts[name] += count
    checked.tell(verdict.faults)
    key, version = settings.pseudonym_key.get_secret_value().encode(), settings.pseudonym_key_version
    checked.sorter.add(pseudonymise(verdict.accepted, feed, key, version))
    if verdict.waiting.height:
        checked.waiting.append(pseudonymise(verdict.waiting, feed, key, version))
    checked.identifying |= _identifies(block, feed) or (verdict.faults["code"] == "identifiable-data").any()
    if verdict.counts["rejected"]:
        lines = verdict.outcomes.filter(pl.col("outcome") == "rejected")[LINE]
        rejected = block.frame.filter(pl.col(LINE).is_in(lines.implode()))
        checked.rejected.append(parquet_of(redact(rejected, feed)))


def _identifies(block: Block, feed: Feed) -> bool:
    """Whether the block has a column that is declared to identify people."""
    names = match_header(feed, block.frame.columns).columns.values()
    return any(feed.by_name[name].identifier is not None for name in names)


def original(body: Body, sent: Sent, feed: Feed, *, identifying: bool) -> Iterator[tuple[str, bytes]]:
    """What may be kept of a file, in compressed pieces: as it was sent, or as CSV with what identifies withheld."""
    if not identifying:
        packer = zstandard.ZstdCompressor(level=1)
        for chunk in body.chunks():
            yield sent.content_type or "application/octet-stream", packer.compress(chunk)
        return
    first = True
    packer = zstandard.ZstdCompressor(level=1)
    for block in formats.read_blocks(body.chunks(), content_type=sent.content_type, encoding=sent.encoding):
        kept = redact(block.frame, feed).drop(LINE)
        yield "text/csv", packer.compress(kept.write_csv(include_header=first).encode())
        first = False


def _problem(reason: Unreadable) -> UnreadableFile | UnsupportedFormat:
    place = {} if reason.line is None else {"pointer": f"/{reason.line}"}
    errors = [{"code": reason.code, "message": reason.detail, "hint": reason.hint, **place}]
    kind = UnsupportedFormat if reason.code in ("unknown-format", "unknown-compression") else UnreadableFile
    return kind(f"{reason.detail} {reason.hint}".strip(), errors=errors)
