"""Rows that wait for reference data land by themselves when it comes, and their receipt says so."""

from collections.abc import Collection
from datetime import date

import polars as pl
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.ingest.commands.chain import chain, status_of
from services.ingest.commands.landing import Landing, land
from services.ingest.commands.sorting import Sorter
from services.ingest.models import Submission, WaitingRow
from services.ingest.queries.reference import Known, load
from services.ingest.rules import rows
from services.ingest.rules.blocks import LINE
from services.ingest.rules.faults import Tally
from services.ingest.rules.places import ORGANISATION
from services.ingest.rules.validation import Checker
from shared.db import now


def keep_waiting(session: Session, submission_id: str, waiting: pl.DataFrame, known: Known) -> None:
    """Keep rows until what they wait for comes: an organisation, or a measure."""
    for row in waiting.to_dicts():
        line, organisation = row[LINE], row[ORGANISATION]
        awaits = organisation if organisation not in known.reference.organisations else row.get("measure")
        session.add(WaitingRow(submission_id=submission_id, line=line, awaits=str(awaits), row=rows.as_json(row)))
    session.flush()


def land_waiting(session: Session, names: Collection[str]) -> None:
    """Check again the rows that waited for any of these, and land those that are right now."""
    found = session.execute(
        select(WaitingRow)
        .where(WaitingRow.awaits.in_(names))
        .order_by(WaitingRow.submission_id, WaitingRow.line)
        .with_for_update()
    ).scalars()
    by_submission: dict[str, list[WaitingRow]] = {}
    for one in found:
        by_submission.setdefault(one.submission_id, []).append(one)
    if by_submission:
        known = load(session, 0)
        for submission_id, waiting in by_submission.items():
            _land_again(session, submission_id, waiting, known)
        for submission_id in by_submission:
            chain(session, session.get_one(Submission, submission_id), "landed")


def _land_again(session: Session, submission_id: str, waiting: list[WaitingRow], known: Known) -> None:
    submission = session.get_one(Submission, submission_id, with_for_update=True)
    feed = known.version(submission.feed, submission.feed_version)
    frame = rows.of_json([one.row for one in waiting], feed)
    checker = Checker(feed, known.reference, today=_day(submission))
    verdict = checker.recheck(frame)
    sorter = Sorter()
    sorter.add(verdict.accepted)
    # The rest of the return has landed already: these rows join it.
    landing = Landing(submission.id, feed, "merge", bool(submission.options.get("final")), now())
    effect = land(session, sorter, landing)
    landed = set(verdict.outcomes.filter(pl.col("outcome") != "waiting")[LINE])
    session.execute(delete(WaitingRow).where(WaitingRow.submission_id == submission_id, WaitingRow.line.in_(landed)))
    rejected = verdict.counts["rejected"] + effect.stale
    submission.waiting -= len(landed)
    submission.rejected += rejected
    submission.unchanged += effect.unchanged
    submission.accepted += len(landed) - rejected - effect.unchanged
    submission.added += effect.added
    submission.changed += effect.changed
    submission.removed += effect.removed
    submission.returns_total += len(effect.returns)
    submission.organisations = sorted({*submission.organisations, *(one for one, _ in effect.returns)})
    _tell(submission, pl.concat([verdict.faults, effect.faults]))
    submission.status = status_of(submission)


def _tell(submission: Submission, faults: pl.DataFrame) -> None:
    tally = Tally()
    tally.add(faults)
    still = [group for group in submission.faults if not group["code"].startswith("unknown-")]
    submission.faults = [*still, *tally.groups()]
    submission.faults_total = sum(group["count"] for group in submission.faults)


def _day(submission: Submission) -> date:
    return submission.received_at.date()
