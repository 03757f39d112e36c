"""What is kept of a file: every fault, the bad rows ready to be mended, the file with its faults, the file itself."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import orjson
import polars as pl
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.ingest import schemas
from services.ingest.api.callers import MayRead, WhatIsKnown
from services.ingest.api.submissions import SubmissionId
from services.ingest.models import Submission
from services.ingest.problems import UnknownSubmission
from services.ingest.queries import kept, receipts
from services.ingest.rules.blocks import LINE
from services.ingest.rules.faults import FAULTS
from services.ingest.rules.headers import OUR_LINE, OUR_MENDS, OURS
from shared import media
from shared.caching import answer_with_etag, etag
from shared.db import Database, Session
from shared.media import sent_as
from shared.problems import problems
from shared.tables import accepted, parquet_answer

router = APIRouter(prefix="/v1/submissions/{submission_id}", tags=["Ingest"], responses=problems(UnknownSubmission))
CSV = "text/csv; charset=utf-8"
_FAULTS = {"json": "application/json", "ndjson": media.NDJSON, "csv": media.CSV, "parquet": media.PARQUET}
FORMATS = (media.CSV, "application/json", media.NDJSON, media.PARQUET, media.XLSX, "application/octet-stream")


@router.get(
    "/faults",
    response_class=Response,
    responses={200: {"model": schemas.Faults, **sent_as(media.NDJSON, media.CSV, media.PARQUET)[200]}},
)
def list_faults(
    request: Request,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    submission_id: SubmissionId,
    form: Annotated[
        Literal["json", "ndjson", "csv", "parquet"] | None,
        Query(alias="format", description="By default what Accept asks for, else JSON."),
    ] = None,
) -> Response:
    """Every fault of a submission, line by line, streamed: all of them are on one page."""
    one = receipts.submission(session, submission_id, caller=caller, known=known)
    chosen = form or accepted(request, _FAULTS)
    known_already, headers = _tagged(request, one, "faults", chosen)
    if known_already is not None:
        return known_already
    frames = _frames(request.app.state.database, submission_id, kept.FAULTS)
    if chosen == "parquet":
        return parquet_answer(frames, schema=FAULTS, headers=headers)
    if chosen == "csv":
        return StreamingResponse(_as_csv(frames), media_type=CSV, headers=headers)
    lines = _as_ndjson(frames) if chosen == "ndjson" else _as_json(frames, one)
    return StreamingResponse(lines, media_type=_FAULTS[chosen], headers=headers)


@router.get("/rejected", response_class=Response, responses=sent_as(media.CSV))
def get_rejected(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """Only the rows that were rejected, as CSV with the columns that were sent: mend them and send them again.

    Two columns more say where they come from (`psip_mends`, `psip_line`): rows sent back with them join their returns.
    """
    one = receipts.submission(session, submission_id, caller=caller, known=known)
    known_already, headers = _tagged(request, one, "rejected")
    if known_already is not None:
        return known_already
    names = kept.columns(session, one)
    frames = _frames(request.app.state.database, submission_id, kept.REJECTED)
    mine = (pl.lit(submission_id).alias(OUR_MENDS), pl.col(LINE).cast(pl.String).alias(OUR_LINE))
    told = (frame.select(*(n for n in frame.columns if n not in OURS), *mine) for frame in frames)
    return StreamingResponse(_as_csv(told, names), media_type=CSV, headers=headers)


@router.get("/annotated", response_class=Response, responses=sent_as(media.CSV))
def get_annotated(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """The file as sent, as CSV with two columns more: the line of each row, and what is wrong with it."""
    one = receipts.submission(session, submission_id, caller=caller, known=known)
    known_already, headers = _tagged(request, one, "annotated")
    if known_already is not None:
        return known_already
    told, names = _annotated(request.app.state.database, one), kept.columns(session, one)
    return StreamingResponse(_as_csv(told, names), media_type=CSV, headers=headers)


@router.get("/original", response_class=Response, responses=sent_as(*FORMATS))
def get_original(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """The file as it was sent; where it held what identifies people, as CSV with that withheld."""
    one = receipts.submission(session, submission_id, caller=caller, known=known)
    known_already, headers = _tagged(request, one, "original")
    if known_already is not None:
        return known_already
    database: Database = request.app.state.database
    if kept.is_redacted(session, submission_id):
        frames = _frames(database, submission_id, kept.REDACTED)
        names = kept.columns(session, one)
        told = (frame.drop(LINE) for frame in frames)
        return StreamingResponse(_as_csv(told, names), media_type=CSV, headers=headers)
    if one.content_encoding:
        headers["Content-Encoding"] = one.content_encoding
    media_type = one.content_type or "application/octet-stream"
    return StreamingResponse(_as_sent(database, submission_id), media_type=media_type, headers=headers)


def _tagged(request: Request, one: Submission, *what: str) -> tuple[Response | None, dict[str, str]]:
    """A 304 if the caller has it already, and the headers that say what it stands on: the receipt as it is now."""
    headers = {"X-Data-Version": str(one.link), "Vary": "Accept"}
    if one.linked_at is not None:
        headers["X-As-Of"] = one.linked_at.isoformat()
    tag = etag(f"{one.receipt_sha256} {' '.join(what)}".encode())
    answer = answer_with_etag(request, b"", headers=headers, tag=tag)
    return (answer if answer.status_code == 304 else None), headers | {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
    }


def _frames(database: Database, submission_id: str, kind: str) -> Iterator[pl.DataFrame]:
    with database.session() as session:
        yield from kept.frames(session, submission_id, kind)


def _annotated(database: Database, one: Submission) -> Iterator[pl.DataFrame]:
    with database.session() as session:
        yield from kept.annotated(session, one)


def _as_sent(database: Database, submission_id: str) -> Iterator[bytes]:
    with database.session() as session:
        yield from kept.as_sent(session, submission_id)


def _as_csv(frames: Iterator[pl.DataFrame], names: Sequence[str] = ()) -> Iterator[bytes]:
    """One CSV of frames; `names` are those of all their columns where the first may not have them all."""
    for number, frame in enumerate(frames):
        missing = [pl.lit(None, dtype=pl.String).alias(name) for name in names if name not in frame.columns]
        whole = frame.with_columns(missing) if missing else frame
        yield (
            whole.select([*names, *(n for n in whole.columns if n not in names)] if names else whole.columns)
            .write_csv(include_header=number == 0)
            .encode()
        )


def _as_json(frames: Iterator[pl.DataFrame], one: Submission) -> Iterator[bytes]:
    yield b'{"items":['
    between = b""
    for frame in frames:
        for row in frame.iter_rows(named=True):
            yield between + orjson.dumps(row)
            between = b","
    stands_on = {"next_cursor": None, "as_of": one.linked_at, "data_version": one.link}
    yield b"]," + orjson.dumps(stands_on)[1:]


def _as_ndjson(frames: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    for frame in frames:
        for row in frame.iter_rows(named=True):
            yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
