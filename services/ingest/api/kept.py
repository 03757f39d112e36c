"""What is kept of a file: every fault, the bad rows ready to be mended, the file with its faults, the file itself."""

import io
from collections.abc import Iterator
from typing import Annotated, Literal

import orjson
import polars as pl
import zstandard
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.ingest.api.callers import MayRead, WhatIsKnown
from services.ingest.api.submissions import SubmissionId
from services.ingest.problems import UnknownSubmission
from services.ingest.queries import receipts
from shared.db import Database, Session
from shared.problems import problems

router = APIRouter(prefix="/v1/submissions/{submission_id}", tags=["Ingest"], responses=problems(UnknownSubmission))
CSV = "text/csv; charset=utf-8"


@router.get("/faults")
def list_faults(
    request: Request,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    submission_id: SubmissionId,
    form: Annotated[Literal["ndjson", "csv"], Query(alias="format")] = "ndjson",
) -> Response:
    """Every fault of a submission, line by line, streamed."""
    receipts.submission(session, submission_id, caller=caller, known=known)
    frames = _frames(request.app.state.database, submission_id, "faults")
    if form == "csv":
        return StreamingResponse(_as_csv(frames), media_type=CSV)
    return StreamingResponse(_as_ndjson(frames), media_type="application/x-ndjson")


@router.get("/rejected")
def get_rejected(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """Only the rows that were rejected, as CSV with the columns that were sent: mend them and send them again."""
    receipts.submission(session, submission_id, caller=caller, known=known)
    frames = _frames(request.app.state.database, submission_id, "rejected")
    return StreamingResponse(_as_csv(frame.drop("line") for frame in frames), media_type=CSV)


@router.get("/annotated")
def get_annotated(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """The rows that have faults, as CSV with two columns more: their line, and what is wrong with them."""
    receipts.submission(session, submission_id, caller=caller, known=known)
    database: Database = request.app.state.database
    return StreamingResponse(_annotated(database, submission_id), media_type=CSV)


@router.get("/original")
def get_original(
    request: Request, session: Session, caller: MayRead, known: WhatIsKnown, submission_id: SubmissionId
) -> Response:
    """The file as it was sent; where it held what identifies people, with that withheld."""
    one = receipts.submission(session, submission_id, caller=caller, known=known)
    database: Database = request.app.state.database
    media_type = _media_type(database, submission_id) or one.content_type
    return StreamingResponse(_original(database, submission_id), media_type=media_type or "application/octet-stream")


def _parts(database: Database, submission_id: str, kind: str) -> Iterator[bytes]:
    with database.session() as session:
        for part in receipts.parts(session, submission_id, kind):
            yield part.body


def _frames(database: Database, submission_id: str, kind: str) -> Iterator[pl.DataFrame]:
    for body in _parts(database, submission_id, kind):
        yield pl.read_parquet(io.BytesIO(body))


def _as_csv(frames: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    for number, frame in enumerate(frames):
        yield frame.write_csv(include_header=number == 0).encode()


def _as_ndjson(frames: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    for frame in frames:
        for row in frame.iter_rows(named=True):
            yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _annotated(database: Database, submission_id: str) -> Iterator[bytes]:
    wrong: dict[int, list[str]] = {}
    for faults in _frames(database, submission_id, "faults"):
        for fault in faults.drop_nulls("line").iter_rows(named=True):
            said = f"{fault['column'] or 'row'}: {fault['code']}; expected {fault['expected']}"
            wrong.setdefault(fault["line"], []).append(said.strip().removesuffix("; expected"))
    first = True
    for rows in _frames(database, submission_id, "rejected"):
        told = pl.Series("faults", [" | ".join(wrong.get(line, ())) for line in rows["line"]], dtype=pl.String)
        yield rows.with_columns(told).write_csv(include_header=first).encode()
        first = False


def _media_type(database: Database, submission_id: str) -> str | None:
    with database.session() as session:
        first = next(receipts.parts(session, submission_id, "original"), None)
        return first.content_type if first is not None else None


def _original(database: Database, submission_id: str) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor()
    for body in _parts(database, submission_id, "original"):
        yield unpacker.decompress(body)
