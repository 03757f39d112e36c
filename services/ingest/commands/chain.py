"""The chain of a client's receipts: whenever a receipt comes to say something, a link is added and none is changed."""

import zstandard
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ingest.models import ReceiptEntry, Submission
from services.ingest.queries.receipts import digest, said
from shared.db import now, take_turn


def chain(session: Session, submission: Submission, event: str) -> None:
    """Tie what the receipt says now to the client's link before: no receipt can be changed or taken out unseen.

    Do this last: it holds the client's chain until the transaction ends.
    """
    client = submission.client_id
    take_turn(session, f"receipts/{client}")
    newest = select(ReceiptEntry.number, ReceiptEntry.sha256).where(ReceiptEntry.client_id == client)
    with session.no_autoflush:  # the submission is written once, with its link
        last = session.execute(newest.order_by(ReceiptEntry.number.desc()).limit(1)).one_or_none()
    submission.previous_receipt_sha256 = last.sha256 if last else None
    content = said(submission)
    submission.receipt_sha256 = digest(content)
    entry = ReceiptEntry(
        client_id=client,
        number=last.number + 1 if last else 1,
        submission_id=submission.id,
        event=event,
        written_at=now(),
        previous_sha256=submission.previous_receipt_sha256,
        sha256=submission.receipt_sha256,
        said=zstandard.ZstdCompressor(level=3).compress(content),
    )
    submission.link, submission.linked_at = entry.number, entry.written_at
    session.add(entry)
    session.flush()


def status_of(submission: Submission) -> str:
    """What the counts of a receipt amount to."""
    if submission.received and submission.rejected == submission.received:
        return "rejected"
    return "partly_accepted" if submission.rejected else "accepted"
