"""Rejected rows: found, put right one at a time, tried again, or waived with a reason."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from services.ingest import commands, schemas
from services.ingest.api.callers import MayRead, MaySend, WhatIsKnown
from services.ingest.api.submissions import SubmissionId
from services.ingest.commands.landing import Effect
from services.ingest.models import Submission
from services.ingest.problems import (
    AlreadyResolved,
    AlreadyWithdrawn,
    RefusedAsAWhole,
    StillWrong,
    UnknownRow,
    UnknownSubmission,
)
from services.ingest.queries import quarantine, receipts
from shared import paging
from shared.caching import answer_with_etag
from shared.db import Session
from shared.problems import problems

router = APIRouter(prefix="/v1/quarantine", tags=["Ingest"])
Line = Annotated[int, Path(ge=1, le=2**31 - 1, description="The line of the row in the file as sent.")]
_WRONG = problems(UnknownSubmission, UnknownRow, AlreadyResolved, AlreadyWithdrawn, RefusedAsAWhole, StillWrong)


@router.get("", response_model=schemas.Quarantine)
def list_quarantine(
    request: Request,
    response: Response,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: Annotated[str | None, Query(description="Only of this feed.")] = None,
    organisation: Annotated[str | None, Query(description="Only of this organisation.")] = None,
    code: Annotated[str | None, Query(description="Only rows with a fault of this code.")] = None,
    status: Annotated[
        Literal["open", "corrected", "waived", "any"], Query(description="What became of them.")
    ] = "open",
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> Response:
    """Rejected rows, newest submission first, each with what is wrong with it."""
    if feed is not None:
        known.feed(feed)
    name = organisation.strip().upper() if organisation else None
    one = known.reference.organisations.get(name) if name else None
    found = quarantine.rows(
        session,
        caller=caller,
        known=known,
        feed=feed,
        organisation=one.code if one else name,
        code=code,
        status=status,
        after=paging.decode(cursor, parts=(str, int)),
        limit=limit,
    )
    key = ("submission", "line")
    page = paging.page(found, limit=limit, key=lambda row: [row[k] for k in key], request=request, response=response)
    stamp = quarantine.stamp(session, caller=caller, known=known, feed=feed)
    return answer_with_etag(request, page | stamp, headers=dict(response.headers))


@router.get("/{submission_id}/{line}", response_model=schemas.QuarantinedRow, responses=_WRONG)
def get_quarantined(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId, line: Line
) -> Response:
    """One rejected row, and what became of it."""
    submission = receipts.submission(session, submission_id, caller=caller, known=known)
    return answer_with_etag(request, quarantine.shown(session, submission, line))


@router.patch("/{submission_id}/{line}", response_model=schemas.Mended, responses=_WRONG)
def correct_quarantined(
    request: Request, session: Session, caller: MaySend, known: WhatIsKnown, submission_id: SubmissionId, line: Line,
    changes: dict[str, str | bool | int | float | None],
) -> Response:  # fmt: skip
    """Correct cells of a rejected row (`{"column": value}`) and land it."""
    submission = receipts.submission(session, submission_id, caller=caller, known=known)
    effect = commands.correct_row(
        session, submission, line, changes, caller=caller, known=known, settings=request.app.state.settings
    )
    return answer_with_etag(request, _mended(session, submission, line, effect))


@router.post("/{submission_id}/{line}/replay", response_model=schemas.Mended, responses=_WRONG)
def replay_quarantined(
    request: Request, session: Session, caller: MaySend, known: WhatIsKnown, submission_id: SubmissionId, line: Line
) -> Response:
    """Try a rejected row again as it is: the feed or the reference data may have changed since."""
    submission = receipts.submission(session, submission_id, caller=caller, known=known)
    effect = commands.correct_row(
        session, submission, line, {}, caller=caller, known=known, settings=request.app.state.settings
    )
    return answer_with_etag(request, _mended(session, submission, line, effect))


@router.post("/{submission_id}/{line}/waive", response_model=schemas.QuarantinedRow, responses=_WRONG)
def waive_quarantined(
    request: Request, session: Session, caller: MaySend, known: WhatIsKnown, submission_id: SubmissionId, line: Line,
    why: schemas.Waiver,
) -> Response:  # fmt: skip
    """Say why a rejected row will not be sent again; it stays rejected and is no longer open."""
    submission = receipts.submission(session, submission_id, caller=caller, known=known)
    commands.waive_row(session, submission, line, why.reason, caller=caller)
    return answer_with_etag(request, quarantine.shown(session, submission, line))


def _mended(session: Session, submission: Submission, line: int, effect: Effect) -> dict[str, Any]:
    return {
        "row": quarantine.shown(session, submission, line),
        "effect": {"added": effect.added, "changed": effect.changed, "removed": effect.removed},
        "receipt": receipts.receipt(session, submission),
    }
