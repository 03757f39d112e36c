"""Withdrawing a submission: the versions it made no longer count, and those before them are current again."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.ingest.commands.chain import chain
from services.ingest.commands.settling import sent_again, tell_settled
from services.ingest.models import Resolution, Return, ReturnVersion, Submission, WaitingRow
from services.ingest.problems import AlreadyWithdrawn
from services.ingest.queries.published import published, told
from services.ingest.queries.stored import place_of_rows
from services.ingest.rules.rows import JSON
from shared.contracts.ingest import ReturnPublished
from shared.db import now
from shared.messaging.outbox import publish


def withdraw_submission(session: Session, submission: Submission) -> None:
    """Withdraw it, and publish the return versions that are current again (or that none is).

    Rejected rows that it had sent again, and sent right, are open again.
    """
    session.refresh(submission, with_for_update=True)
    if submission.withdrawn_at is not None:
        raise AlreadyWithdrawn(f"this submission was withdrawn on {submission.withdrawn_at:%d %B %Y at %H:%M} UTC")
    submission.withdrawn_at, submission.status = now(), "withdrawn"
    session.execute(delete(WaitingRow).where(WaitingRow.submission_id == submission.id))
    session.execute(delete(Resolution).where(Resolution.reason == sent_again(submission)))
    submission.rejected += submission.waiting
    submission.waiting = 0
    mine = select(ReturnVersion).where(ReturnVersion.submission_id == submission.id)
    touched: dict[tuple[str, str, str], ReturnVersion] = {}
    for version in session.execute(mine).scalars():
        version.withdrawn_at = submission.withdrawn_at
        touched[version.feed, version.organisation, version.period] = version
    session.flush()
    for key in sorted(touched):
        _restore(session, key, touched[key])
    tell_settled(session, submission)
    chain(session, submission, "withdrawn")


def _restore(session: Session, key: tuple[str, str, str], withdrawn: ReturnVersion) -> None:
    one = session.get_one(Return, key, with_for_update=True)
    before = session.execute(
        select(ReturnVersion)
        .where(ReturnVersion.feed == key[0], ReturnVersion.organisation == key[1], ReturnVersion.period == key[2])
        .where(ReturnVersion.withdrawn_at.is_(None))
        .order_by(ReturnVersion.version.desc())
        .limit(1)
    ).scalar_one_or_none()
    identity = before.id if before else None
    if one.current_id == identity:
        return
    one.sequence += 1
    one.current_id = identity
    publish(session, _events(session, one, before, withdrawn), source="ingest", stored=place_of_rows)


def _events(
    session: Session, one: Return, current: ReturnVersion | None, withdrawn: ReturnVersion
) -> list[ReturnPublished]:
    if current is None:
        return [told(one, withdrawn, kind="withdrawn", parts=1, part=1, content_type=JSON, body=b"[]")]
    return published(session, one, current)
