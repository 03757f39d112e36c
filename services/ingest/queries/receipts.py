"""Receipts: what landed, what did not, and how to mend it; for as long as the records are kept."""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Text, cast, func, or_, select
from sqlalchemy.orm import Session

from services.ingest.models import ReturnVersion, Submission
from services.ingest.problems import UnknownSubmission
from services.ingest.queries.reference import Known
from shared.contracts.windows import london_day
from shared.db import now
from shared.principal import Principal

MOST_RETURNS = 1000
_LINKS = ("faults", "annotated", "rejected", "original")


def submission(session: Session, submission_id: str, *, caller: Principal, known: Known) -> Submission:
    """A submission the caller may see: its own, or one for organisations it acts for. Raises UnknownSubmission."""
    found = session.get(Submission, submission_id)
    if found is None or not _sees(caller, found, known):
        raise UnknownSubmission(f"no submission {submission_id[:60]!r}")
    return found


def _sees(caller: Principal, one: Submission, known: Known) -> bool:
    if one.client_id == caller.client_id or caller.for_everyone:
        return True
    yours = known.within(caller.organisations, on=london_day(now()))
    return bool(one.organisations) and yours.issuperset((*one.organisations, *one.quarantined))


def submissions(
    session: Session, *, caller: Principal, known: Known, feed: str | None, before: str | None, limit: int
) -> Sequence[Submission]:
    """The newest submissions the caller may see, one more than `limit` when there are more."""
    query = select(Submission).where(*seen(caller, known, feed)).order_by(Submission.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Submission.id < before)
    return session.execute(query).scalars().all()


def stamp(session: Session, *, caller: Principal, known: Known, feed: str | None) -> dict[str, Any]:
    """What a list of receipts stands on: when one of those the caller may see last came to say something, and a
    number that grows with every such change."""
    query = select(func.max(Submission.linked_at), func.coalesce(func.sum(Submission.link), 0))
    newest, changes = session.execute(query.where(*seen(caller, known, feed))).one()
    return {"as_of": newest, "data_version": changes}


def seen(caller: Principal, known: Known, feed: str | None) -> list[ColumnElement[bool]]:
    """The conditions that make submissions those the caller may see, of one feed if it is said."""
    yours = known.yours(caller, on=london_day(now()))
    seen = [] if yours is None else [visible_to(caller, sorted(yours))]
    return seen if feed is None else [*seen, Submission.feed == feed]


def visible_to(caller: Principal, yours: Sequence[str]) -> ColumnElement[bool]:
    """The condition of `submission`, as a filter: the caller's own, or wholly for organisations it acts for."""
    codes = cast(yours, ARRAY(Text))
    within = Submission.organisations.contained_by(codes) & Submission.quarantined.contained_by(codes)
    return or_(Submission.client_id == caller.client_id, within & (Submission.organisations != []))


def refused_as_a_whole(one: Submission) -> bool:
    """Whether an error of the whole file, which is on no line, rejected every row of it: none was corrected since."""
    return one.rejected == one.received and any(
        group["severity"] == "error" and not group["rows"] for group in one.faults
    )


def receipt(session: Session, one: Submission) -> dict[str, Any]:
    """The receipt of a submission, as the contract shows it."""
    returns = (
        session.execute(
            select(ReturnVersion)
            .where(ReturnVersion.submission_id == one.id)
            .order_by(ReturnVersion.organisation, ReturnVersion.period, ReturnVersion.version)
            .limit(MOST_RETURNS)
        )
        .scalars()
        .all()
    )
    place = f"/v1/submissions/{one.id}"
    return facts(one) | {
        "returns": [
            {
                "organisation": each.organisation,
                "period": each.period,
                "version": each.version,
                "status": each.status,
                "kind": each.kind,
                "rows": each.row_count,
                "withdrawn_at": each.withdrawn_at,
            }
            for each in returns
        ],
        "returns_total": one.returns_total,
        "receipt_sha256": one.receipt_sha256,
        "as_of": one.linked_at,
        "data_version": one.link,
        "links": {"self": place} | {name: f"{place}/{name}" for name in _LINKS},
    }


def facts(one: Submission) -> dict[str, Any]:
    """What a receipt says of the submission itself; its digest is over these."""
    return {
        "id": one.id,
        "feed": one.feed,
        "feed_version": one.feed_version,
        "organisation": one.organisation,
        "period": one.period,
        "submitted_by": one.client_id,
        "received_at": one.received_at,
        "completed_at": one.completed_at,
        "withdrawn_at": one.withdrawn_at,
        "status": one.status,
        "dry_run": one.dry_run,
        "sha256": one.sha256,
        "bytes": one.bytes,
        "repeat_of": one.repeat_of,
        "rows": {
            name: getattr(one, name)
            for name in ("received", "accepted", "unchanged", "duplicate", "waiting", "rejected")
        },
        "effect": {name: getattr(one, name) for name in ("added", "changed", "removed")},
        "faults": one.faults,
        "faults_total": one.faults_total,
        "previous_receipt_sha256": one.previous_receipt_sha256,
    }


def said(one: Submission) -> bytes:
    """What the receipt says, the digest of the client's receipt before it included, as the bytes its digest is of."""
    return orjson.dumps(facts(one), option=orjson.OPT_SORT_KEYS)


def digest(content: bytes) -> str:
    """The SHA-256 of what a receipt says."""
    return hashlib.sha256(content).hexdigest()
