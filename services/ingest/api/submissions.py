"""Sending rows, and the receipt that says what became of them."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from services.ingest import commands, schemas
from services.ingest.api import receipt_page
from services.ingest.api.body import Received
from services.ingest.api.callers import MayRead, MaySend, WhatIsKnown
from services.ingest.problems import (
    AlreadyWithdrawn,
    NoRoom,
    NotYourOrganisation,
    TooBusy,
    TooLarge,
    TooManyRows,
    UnknownFeed,
    UnknownFeedVersion,
    UnknownOrganisation,
    UnknownSubmission,
    UnreadableFile,
    UnsupportedFormat,
)
from services.ingest.queries import chain, published, receipts
from services.ingest.queries.rehearsals import MOST_RETURNS, Rehearsals
from services.ingest.rules.feeds import Mode
from shared import paging
from shared.caching import answer_with_etag
from shared.db import Session
from shared.principal import HEADER
from shared.problems import problems
from shared.repeats import REPLAYED, IdempotencyKey, IdempotencyKeyReused
from shared.tables import accepted

router = APIRouter(prefix="/v1/submissions", tags=["Ingest"])
SubmissionId = Annotated[str, Path(description="The id of a submission, from its receipt.")]
_WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?(?P<seconds>\d+)', re.IGNORECASE)
_PROBLEMS = problems(
    UnknownFeed,
    UnknownFeedVersion,
    UnknownOrganisation,
    NotYourOrganisation,
    UnreadableFile,
    UnsupportedFormat,
    TooLarge,
    IdempotencyKeyReused,
    TooManyRows,
    TooBusy,
    NoRoom,
)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "organisation,period,measure,numerator,denominator\nRGT,2026-09,mn-cqimpreterm,31,420\n",
            },
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                "schema": {"type": "string", "format": "binary"}
            },
        },
    }
}


@router.post(
    "", status_code=202, response_model=schemas.Receipt, responses=_PROBLEMS | {201: {"model": schemas.Receipt}},
    openapi_extra=_BODY,
)  # fmt: skip
def send_submission(
    request: Request,
    caller: MaySend,
    body: Received,  # before the session: an upload, however slow, holds no connection
    session: Session,
    known: WhatIsKnown,
    feed: Annotated[str, Query(description="The feed the rows are of.", examples=["births"])],
    feed_version: Annotated[
        str | None, Query(description="The version of the feed the rows were written for; recognised where left out.")
    ] = None,
    organisation: Annotated[str | None, Query(description="Whose rows these are, where they do not say.")] = None,
    period: Annotated[str | None, Query(description="The period of rows that do not say theirs.")] = None,
    mode: Annotated[
        Mode | None, Query(description="Replace whole returns, or merge records; by default the feed's.")
    ] = None,
    dry_run: Annotated[bool, Query(description="Check everything and change nothing.")] = False,
    atomic: Annotated[bool, Query(description="Land every row or none.")] = False,
    nil: Annotated[bool, Query(description="Say that there was nothing to report (no body).")] = False,
    final: Annotated[bool, Query(description="Mark the returns as final.")] = False,
    idempotency_key: IdempotencyKey = None,
    prefer: Annotated[str | None, Header(description="`wait=10`: answer 201, when all is done (RFC 7240).")] = None,
) -> Response:
    """Send rows of one feed; the receipt accounts for each of them."""
    options = commands.Options(feed, feed_version, organisation, period, mode, dry_run, atomic, nil, final)
    arrival = commands.Arrival(
        request.headers.get("content-type"), request.headers.get("content-encoding"), idempotency_key
    )
    settings = request.app.state.settings
    attempt = session.begin_nested()
    answered = commands.accept_submission(
        session, body, options, arrival, caller=caller, known=known, settings=settings
    )
    submission = answered.submission
    receipt = receipts.receipt(session, submission)
    if answered.consequences is not None:
        made = published.made_by(session, submission.id, most=MOST_RETURNS)
        attempt.rollback()
        rehearsals: Rehearsals = request.app.state.rehearsals
        receipt["consequences"] = {**answered.consequences, **rehearsals.ask(made, request.headers[HEADER])}
        commands.count_dry_run(session, caller, rows=receipt["rows"]["received"])
    headers = {"Location": f"/v1/submissions/{submission.id}"}
    if answered.again:
        headers |= REPLAYED
    waits = _WAIT.search(prefer) if prefer is not None else None
    if waits:
        headers["Preference-Applied"] = f"wait={waits['seconds']}"
    status = 201 if waits else 202
    return answer_with_etag(request, receipt, status=status, headers=headers)


@router.get("", response_model=schemas.Receipts)
def list_submissions(
    request: Request,
    response: Response,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: Annotated[str | None, Query(description="Only those of this feed.")] = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Response:
    """Receipts, newest first."""
    if feed is not None:
        known.feed(feed)
    after = paging.decode(cursor, parts=(str,))
    before = str(after[0]) if after else None
    found = receipts.submissions(session, caller=caller, known=known, feed=feed, before=before, limit=limit)
    page = paging.page(found, limit=limit, key=lambda one: [one.id], request=request, response=response)
    page["items"] = [receipts.receipt(session, one) for one in page["items"]]
    stamp = receipts.stamp(session, caller=caller, known=known, feed=feed)
    return answer_with_etag(request, page | stamp, headers=dict(response.headers))


@router.get(
    "/{submission_id}",
    response_model=schemas.Receipt,
    responses=problems(UnknownSubmission) | {200: {"content": {"text/html": {}}}},
)
def get_submission(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """The receipt of a submission: what landed, what did not, why, and how to mend it. As a page for `text/html`."""
    submission = receipts.submission(session, submission_id, caller=caller, known=known)
    receipt = receipts.receipt(session, submission)
    if accepted(request, {"html": "text/html", "json": "application/json"}) == "html":
        page = receipt_page.page(receipt).encode()
        return answer_with_etag(request, page, media_type="text/html; charset=utf-8", headers=receipt_page.HEADERS)
    return answer_with_etag(request, receipt, headers={"Vary": "Accept"})


@router.get("/{submission_id}/verify", response_model=schemas.Verification, responses=problems(UnknownSubmission))
def verify_submission(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """Whether the receipt says what it always said, and whether any receipt of its sender was changed or taken out."""
    submission = receipts.submission(session, submission_id, caller=caller, known=known)
    return answer_with_etag(request, chain.verification(session, submission))


@router.delete(
    "/{submission_id}", response_model=schemas.Receipt, responses=problems(UnknownSubmission, AlreadyWithdrawn)
)
def withdraw_submission(
    request: Request, session: Session, caller: MaySend, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """Withdraw a submission: the versions it made no longer count, and those before are current again."""
    submission = receipts.submission(session, submission_id, caller=caller, known=known)
    commands.withdraw_submission(session, submission)
    return answer_with_etag(request, receipts.receipt(session, submission))
