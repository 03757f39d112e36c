"""Every cell of a measure, streamed."""

import tempfile
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from polars.io.plugins import register_io_source
from starlette.background import BackgroundTask

from services.measures import queries, schemas
from services.measures.api import forms
from services.measures.api.parameters import AskedBy, MeasurePath
from services.measures.problems import UnknownMeasure
from services.measures.queries.asking import Asked, stated
from services.measures.queries.exports import SCHEMA
from services.measures.queries.organisations import Sight
from services.measures.rules.definitions import Definition
from shared.caching import answer_with_etag
from shared.db import Database, Session
from shared.problems import problems

router = APIRouter(tags=["Measures"])
Form = Literal["csv", "parquet"]


@router.get(
    "/v1/exports/{measure}",
    responses=problems(UnknownMeasure) | schemas.table(schemas.ExportRow, "csv", "parquet"),
    response_class=StreamingResponse,
)
def export_measure(
    request: Request,
    session: Session,
    asked: AskedBy,
    measure: MeasurePath,
    form: Annotated[
        Form | None, Query(alias="format", description="By default what Accept asks for, else CSV.")
    ] = None,
) -> Response:
    """Every cell of a measure that you may see, of every organisation that sent it, all strata: CSV or Parquet."""
    definition = queries.definitions.definition_of(session, measure, asked.when)
    sight = queries.organisations.sight(session, asked.caller)
    stands = stated(session, asked, [])
    chosen: Form = form or ("parquet" if forms.PARQUET in request.headers.get("accept", "") else "csv")
    seen = [stands["data_version"], asked.known_at, sight.everything, sorted(sight.codes), definition.source, chosen]
    known = answer_with_etag(request, repr([*seen, queries.exports.directory_version(session)]).encode())
    if known.status_code == 304:
        return known
    headers = {
        "ETag": known.headers["ETag"],
        "Cache-Control": known.headers["Cache-Control"],
        "Content-Disposition": f'attachment; filename="{definition.measure}.{chosen}"',
        **forms.stands_on(stands),
    }
    frames = _frames(request.app.state.database, definition, sight, asked)
    if chosen == "csv":
        return StreamingResponse(_csv(frames), media_type=forms.CSV, headers=headers)
    return _parquet(frames, headers)


def _frames(database: Database, definition: Definition, sight: Sight, asked: Asked) -> Iterator[pl.DataFrame]:
    """The pieces, on a session of their own: the request's is closed when the answer begins."""
    with database.session() as session:
        yield from queries.exports.pieces(session, definition, sight, at=asked.known_at)


def _csv(frames: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    yield (",".join(SCHEMA) + "\n").encode()
    for frame in frames:
        yield frame.write_csv(include_header=False).encode()


def _parquet(frames: Iterator[pl.DataFrame], headers: dict[str, str]) -> Response:
    """Written to a file piece by piece, because a Parquet file is whole only at its end."""
    with tempfile.NamedTemporaryFile(suffix=".parquet", delete=False) as file:
        path = FilePath(file.name)
    try:
        source = register_io_source(lambda *_: frames, schema=pl.Schema(SCHEMA))
        source.sink_parquet(path, compression="zstd")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    gone = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type=forms.PARQUET, headers=headers, background=gone)
