"""Rows that wait for reference data land by themselves when it comes, and their receipt says so."""

from collections.abc import Collection, Iterator

import polars as pl
from sqlalchemy import delete, exists, func, select, text, tuple_
from sqlalchemy.orm import Session

from services.ingest.commands.chain import chain, status_of
from services.ingest.commands.checking import quarantined
from services.ingest.commands.landing import Landing, account, land
from services.ingest.commands.settling import sent_again
from services.ingest.commands.sorting import Place, Sorter
from services.ingest.models import Resolution, ReturnVersion, Submission, SubmissionPart, WaitingRow
from services.ingest.queries import kept
from services.ingest.queries.quarantine import faults as faults_on
from services.ingest.queries.reference import Known, load
from services.ingest.rules import rows
from services.ingest.rules.blocks import LINE
from services.ingest.rules.faults import Tally
from services.ingest.rules.feeds import Feed
from services.ingest.rules.places import ORGANISATION
from services.ingest.rules.validation import Checker
from shared.contracts.windows import london_day
from shared.db import copy_rows, now

_WAITING = {"submission_id": "text", "line": "int4", "awaits": "text", "row": "jsonb"}
_AT_ONCE = 10_000  # rows as documents, which take many times the memory of a frame
_WHY = ("unknown-organisation", "unknown-measure")


def hold_news(session: Session) -> int:
    """Let what the registry tells wait until the transaction ends; how often it has told something.

    Who keeps rows waiting does this first: news that came between the check of the rows and their being kept would find
    none, and they would wait for ever. Submissions and returns are locked after it, as where news is heard.
    """
    return int(session.execute(text("select number from reference_state for share")).scalar_one())


def keep_waiting(session: Session, submission_id: str, waiting: pl.DataFrame, known: Known) -> None:
    """Keep rows until what they wait for comes: an organisation, or a measure."""
    found = ((row[LINE], _awaited(row, known), rows.as_json(row)) for row in waiting.iter_rows(named=True))
    copy_rows(session, "waiting_row", _WAITING, ((submission_id, *one) for one in found))


def _awaited(row: dict[str, object], known: Known) -> str:
    organisation = row[ORGANISATION]
    return str(organisation if organisation not in known.reference.organisations else row.get("measure"))


def catch_up(session: Session, submission: Submission) -> None:
    """Land the rows of a submission that wait for what the registry told while they were being checked."""
    awaited = select(WaitingRow.awaits).where(WaitingRow.submission_id == submission.id).distinct()
    land_waiting(session, session.scalars(awaited).all())


def land_waiting(session: Session, names: Collection[str]) -> None:
    """Check again the rows that waited for any of these, and land those that are right now."""
    waits = WaitingRow.awaits.in_(names)
    found = session.scalars(select(WaitingRow.submission_id).where(waits).distinct()).all()
    if not found:
        return
    known = load(session, 0)
    # Submissions are locked before their rows and returns, as in withdrawing.
    submissions = [session.get_one(Submission, name, with_for_update=True) for name in sorted(found)]
    landed = [one for one in submissions if _land_again(session, one, names, known)]
    for one in landed:
        chain(session, one, "landed")


def _land_again(session: Session, submission: Submission, names: Collection[str], known: Known) -> bool:
    """Whether any of its rows waits no more."""
    mine = select(WaitingRow.row).where(WaitingRow.submission_id == submission.id, WaitingRow.awaits.in_(names))
    feed = known.version(submission.feed, submission.feed_version)
    waited = session.scalars(mine.order_by(WaitingRow.line), execution_options={"yield_per": _AT_ONCE})
    frames = [rows.of_json([*some], feed) for some in waited.partitions()]
    if not frames:
        return False
    frame = pl.concat(frames, how="diagonal")
    checker = Checker(feed, known.reference, today=london_day(submission.received_at), period=submission.period)
    verdict = checker.recheck(frame)
    session.execute(delete(WaitingRow).where(WaitingRow.submission_id == submission.id, WaitingRow.awaits.in_(names)))
    keep_waiting(session, submission.id, verdict.waiting, known)
    lines = frame[LINE].filter(~frame[LINE].is_in(verdict.waiting[LINE].implode()))
    if lines.is_empty():
        return False
    sorter = Sorter()
    sorter.add(verdict.accepted)
    mode = "merge" if _joins(session, submission, sorter.returns(), lines) else submission.options["mode"] or feed.mode
    landing = Landing(submission.id, feed, mode, bool(submission.options["final"]), now())
    effect = land(session, sorter, landing)
    stale = verdict.accepted.filter(pl.col(LINE).is_in(effect.faults["line"].implode()))
    refused = pl.concat([verdict.refused, stale.select(verdict.refused.columns)])
    found = pl.concat([verdict.faults.filter(pl.col("line").is_in(lines.implode())), effect.faults])
    submission.waiting -= len(lines)
    submission.rejected += refused.height
    submission.duplicate += verdict.counts["duplicate"]
    submission.accepted += verdict.counts["accepted"] - effect.stale - effect.unchanged
    account(submission, effect)
    _tell(session, submission, lines, found)
    if refused.height:
        submission.quarantined = sorted({*submission.quarantined, *refused[ORGANISATION].drop_nulls()})
        again = _reopened(session, submission, refused[LINE])
        others = refused.filter(~pl.col(LINE).is_in(again)).sort(LINE)
        _keep(session, submission, kept.REJECTED, _rejected(session, submission, others, found, feed))
    submission.status = status_of(submission)
    return True


def _joins(session: Session, submission: Submission, returns: Collection[Place], lines: pl.Series) -> bool:
    """Whether these rows join their returns, as more of the submission stands in one of them, or as they mend others.

    If not they are all that it says of these returns, as they would have been had they not waited.
    """
    place = tuple_(ReturnVersion.organisation, ReturnVersion.period)
    stands = exists().where(ReturnVersion.submission_id == submission.id, place.in_(returns))
    corrected = (Resolution.submission_id == submission.id) & Resolution.line.in_(lines.to_list())
    mend = exists().where(corrected | (Resolution.reason == sent_again(submission)))
    return bool(session.execute(select(stands | mend)).scalar_one())


def _tell(session: Session, submission: Submission, lines: pl.Series, found: pl.DataFrame) -> None:
    """The rows on these lines wait no more, and these faults were found in them since."""
    told = faults_on(session, submission.id, lines.to_list())
    tally = Tally.of(submission.faults)
    tally.forget(told.filter(pl.col("code").is_in(_WHY)))
    tally.add(found)
    submission.faults, submission.faults_total = tally.groups(), tally.total
    if found.height:
        _keep(session, submission, kept.FAULTS, iter([found]))


def _reopened(session: Session, submission: Submission, lines: pl.Series) -> list[int]:
    """Which of these rows had been rejected and corrected before they waited: they are open again."""
    mine = Resolution.submission_id == submission.id, Resolution.line.in_(lines.to_list())
    return [*session.scalars(delete(Resolution).where(*mine).returning(Resolution.line))]


def _rejected(
    session: Session, submission: Submission, refused: pl.DataFrame, faults: pl.DataFrame, feed: Feed
) -> Iterator[pl.DataFrame]:
    """The rows as they were sent, and why they were refused; their identifiers are pseudonyms already."""
    for frame in kept.rows(session, submission):
        sent = frame.filter(pl.col(LINE).is_in(refused[LINE].implode()))
        if sent.height:
            mine = refused.filter(pl.col(LINE).is_in(sent[LINE].implode()))
            yield quarantined(sent, mine, faults, feed)


def _keep(session: Session, submission: Submission, kind: str, frames: Iterator[pl.DataFrame]) -> None:
    """Add pieces to those kept of a submission."""
    mine = SubmissionPart.submission_id == submission.id, SubmissionPart.kind == kind
    after = session.execute(select(func.count()).where(*mine)).scalar_one()
    for number, frame in enumerate(frames, start=after):
        body = rows.parquet_of(frame)
        session.add(SubmissionPart(submission_id=submission.id, kind=kind, part=number, body=body))
