"""Every cell of a measure, streamed."""

from collections.abc import Iterator
from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

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
from shared.media import CSV, PARQUET
from shared.problems import problems
from shared.tables import CSV_TEXT, accepted, parquet_answer, stands_on

router = APIRouter(tags=["Measures"])
Form = Literal["csv", "parquet"]
_FORMS = {"csv": CSV, "parquet": PARQUET}


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
    when, stand = asked.begin(session)
    definition = queries.definitions.definition_of(session, measure, when)
    sight = queries.organisations.sight(session, asked.caller, when)
    stands = stated(stand, asked, [])
    chosen = form or accepted(request, _FORMS, otherwise="csv")
    seen = [stands["data_version"], asked.known_at, sight.everything, sorted(sight.codes), definition.source, chosen]
    known = answer_with_etag(request, repr([*seen, queries.exports.directory_version(session)]).encode())
    if known.status_code == 304:
        return known
    headers = {
        "ETag": known.headers["ETag"],
        "Cache-Control": known.headers["Cache-Control"],
        "Content-Disposition": f'attachment; filename="{definition.measure}.{chosen}"',
        **stands_on(stands),
        **forms.cells(queries.exports.size(session, definition, at=asked.known_at)),
    }
    frames = _frames(request.app.state.database, definition, sight, asked)
    if chosen == "csv":
        return StreamingResponse(_csv(frames), media_type=CSV_TEXT, headers=headers)
    return parquet_answer(frames, schema=pl.Schema(SCHEMA), headers=headers)


def _frames(database: Database, definition: Definition, sight: Sight, asked: Asked) -> Iterator[pl.DataFrame]:
    """The pieces, on a session of their own: the request's is closed when the answer begins."""
    with database.session() as session:
        yield from queries.exports.pieces(session, definition, sight, at=asked.known_at)


def _csv(frames: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    yield (",".join(SCHEMA) + "\n").encode()
    for frame in frames:
        yield frame.write_csv(include_header=False).encode()
