"""Measures over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.programmes import queries, schemas
from services.programmes.api.asking import KnownAt, MayRead, answer_page, last_id
from services.programmes.models import Measure
from services.programmes.problems import UnknownMeasure
from shared.caching import answer_with_etag
from shared.db import Session
from shared.paging import Cursor, Limit
from shared.problems import problems

router = APIRouter(prefix="/v1/measures", tags=["measures"], responses=problems(UnknownMeasure))
MeasureId = Annotated[str, Path(description="The measure's id, such as mn-cqimpreterm.")]


@router.get("", response_model=schemas.Measures)
def list_measures(
    request: Request,
    _: MayRead,
    session: Session,
    known_at: KnownAt = None,
    programme: Annotated[str | None, Query(description="Only measures of this programme.")] = None,
    kind: Annotated[str | None, Query(description="process, outcome, balancing or data-quality.")] = None,
    status: Annotated[str | None, Query(description="live or retired.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The published measures with their definitions."""
    rows = queries.entries.listed(
        session, Measure, after=last_id(cursor), limit=limit, known_at=known_at,
        programme=programme, kind=kind, status=status,
    )  # fmt: skip
    stamp = queries.stamp(session, Measure.__tablename__, known_at=known_at)
    return answer_page(request, rows, limit=limit, key=lambda row: [row["id"]], stamp=stamp)


@router.get("/{measure}", response_model=schemas.Measure)
def get_measure(
    request: Request, measure: MeasureId, _: MayRead, session: Session, known_at: KnownAt = None
) -> Response:
    """The published definition of one measure."""
    return answer_with_etag(request, queries.entries.one(session, Measure, measure, known_at=known_at))


@router.get("/{measure}/versions", response_model=schemas.Measures)
def list_measure_versions(request: Request, measure: MeasureId, _: MayRead, session: Session) -> Response:
    """Every published version of one measure, newest first."""
    items = queries.entries.versions(session, Measure, measure)
    stamp = queries.stamp(session, Measure.__tablename__, measure)
    return answer_with_etag(request, {"items": items, "next_cursor": None, **stamp})


@router.get("/{measure}/versions/{version}", response_model=schemas.Measure)
def get_measure_version(
    request: Request,
    measure: MeasureId,
    version: Annotated[str, Path(description="The version, such as 1.0.0.")],
    _: MayRead,
    session: Session,
) -> Response:
    """One version of one measure, as it was published; it never changes."""
    return answer_with_etag(request, queries.entries.one(session, Measure, measure, version=version))
