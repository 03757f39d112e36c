"""Closing a submission: the receipt is written, what may be kept is kept, and its completion is published."""

import io
from collections.abc import Iterable, Iterator

import polars as pl
import zstandard
from sqlalchemy.orm import Session

from services.ingest.commands.body import Body
from services.ingest.commands.chain import chain, status_of
from services.ingest.commands.checking import Checked
from services.ingest.commands.landing import Effect
from services.ingest.commands.waiting import keep_waiting
from services.ingest.models import Submission
from services.ingest.queries.receipts import facts
from services.ingest.queries.reference import Known
from shared.contracts.ingest import SubmissionCompleted
from shared.db import copy_rows, driver, now
from shared.messaging.outbox import publish

_PART = {"submission_id": "text", "kind": "text", "part": "int4", "body": "bytea"}
MOST_TOLD = 1000  # organisations and returns that an event names


def close(
    session: Session,
    submission: Submission,
    checked: Checked,
    effect: Effect,
    body: Body,
    known: Known,
) -> None:
    """Write the receipt and what was kept, and publish that the submission is complete."""
    if effect.faults.height:
        checked.tell(effect.faults.sort("line", maintain_order=True))
    counts = checked.counts
    submission.received = counts["received"]
    submission.duplicate, submission.waiting = counts["duplicate"], counts["waiting"]
    submission.rejected = counts["rejected"] + effect.stale
    submission.unchanged = effect.unchanged
    submission.accepted = counts["accepted"] - effect.unchanged - effect.stale
    submission.added, submission.changed, submission.removed = effect.added, effect.changed, effect.removed
    submission.faults, submission.faults_total = checked.tally.groups(), checked.tally.total
    submission.returns_total = len(effect.returns)
    submission.organisations = sorted(
        {code for code, _ in checked.sorter.returns()} | {code for code, _ in effect.returns}
    )
    submission.quarantined = sorted({code for code, _ in checked.quarantined} | checked.strangers)
    submission.status = status_of(submission)
    submission.completed_at = now()
    for waiting in checked.waiting:
        keep_waiting(session, submission.id, pl.read_parquet(io.BytesIO(waiting)), known)
    pieces = _kept(submission, checked, body)
    copy_rows(session, "submission_part", _PART, ((submission.id, *piece) for piece in pieces))
    chain(session, submission, "received")
    nothing = _of_which_nothing_stands(session, submission.feed, checked.quarantined)
    publish(session, [_completed(submission, effect, nothing)], source="ingest")


def _kept(submission: Submission, checked: Checked, body: Body) -> Iterator[tuple[str, int, bytes]]:
    """What is kept beside the receipt: of which kind, the number of the piece, the piece."""
    kept: dict[str, Iterable[bytes]] = {"faults": checked.faults, "rejected": checked.rejected}
    if checked.redacted is not None:
        kept["redacted"] = checked.redacted
    elif not submission.options["nil"]:
        packer = zstandard.ZstdCompressor(level=1)
        kept["original"] = (packer.compress(chunk) for chunk in body.chunks())
    for kind, pieces in kept.items():
        for number, piece in enumerate(pieces):
            yield kind, number, piece


def _of_which_nothing_stands(session: Session, feed: str, places: set[tuple[str, str | None]]) -> list[dict[str, str]]:
    """Of these returns those that have no version: nothing of them landed now or before."""
    dated = sorted((code, period) for code, period in places if period is not None)
    if not dated:
        return []
    found = driver(session).execute(
        """
        select place.organisation, place.period
        from unnest(%s::text[], %s::text[]) as place(organisation, period)
        left join "return" one on one.feed = %s and one.organisation = place.organisation and one.period = place.period
        where one.current_id is null order by 1, 2 limit %s
        """,
        (*map(list, zip(*dated, strict=True)), feed, MOST_TOLD),
    )
    return [{"organisation": code, "period": period} for code, period in found]


def _completed(submission: Submission, effect: Effect, quarantined: list[dict[str, str]]) -> SubmissionCompleted:
    told = facts(submission)
    return SubmissionCompleted(
        id=submission.id,
        feed=submission.feed,
        organisation=submission.organisation,
        submitted_by=submission.client_id,
        status=submission.status,
        rows=told["rows"],
        faults_total=submission.faults_total,
        returns=[{"organisation": code, "period": period} for code, period in effect.returns[:MOST_TOLD]],
        organisations=_about(submission),
        quarantined=quarantined,
        completed_at=submission.completed_at,
    )


def _about(submission: Submission) -> list[str]:
    """All organisations that it is about, as for the receipt: without landed rows, or with too many, it names none."""
    everyone = sorted({*submission.organisations, *submission.quarantined}) if submission.organisations else []
    return everyone if len(everyone) <= MOST_TOLD else []
