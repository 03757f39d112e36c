"""Programmes and targets over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.programmes import queries, schemas
from services.programmes.api.asking import KnownAt, MayRead, answer_page, last_id
from services.programmes.models import Programme, Target
from services.programmes.problems import UnknownProgramme, UnknownTarget
from shared.caching import answer_with_etag
from shared.db import Session
from shared.paging import Cursor, Limit
from shared.problems import problems

router = APIRouter(tags=["programmes"])
ProgrammeId = Annotated[str, Path(description="The programme's id, such as matneosip.")]
TargetId = Annotated[str, Path(description="The target's id.")]


@router.get("/v1/programmes", response_model=schemas.Programmes)
def list_programmes(
    request: Request,
    _: MayRead,
    session: Session,
    known_at: KnownAt = None,
    status: Annotated[str | None, Query(description="Only programmes in this state.")] = None,
    organisation: Annotated[str | None, Query(description="Only programmes of this organisation.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The programmes: national ones, and those that organisations registered for themselves."""
    rows = queries.entries.listed(
        session, Programme, after=last_id(cursor), limit=limit, known_at=known_at,
        status=status, organisation=organisation,
    )  # fmt: skip
    stamp = queries.stamp(session, Programme.__tablename__, known_at=known_at)
    return answer_page(request, rows, limit=limit, key=lambda row: [row["id"]], stamp=stamp)


@router.get("/v1/programmes/{programme}", response_model=schemas.Programme, responses=problems(UnknownProgramme))
def get_programme(
    request: Request, programme: ProgrammeId, _: MayRead, session: Session, known_at: KnownAt = None
) -> Response:
    """One programme: aims, drivers, change ideas, settings, and the ids of its measures and targets."""
    return answer_with_etag(request, queries.entries.programme(session, programme, known_at=known_at))


@router.get("/v1/targets", response_model=schemas.Targets, tags=["targets"])
def list_targets(
    request: Request,
    _: MayRead,
    session: Session,
    known_at: KnownAt = None,
    programme: Annotated[str | None, Query(description="Only targets of this programme.")] = None,
    measure: Annotated[str | None, Query(description="Only targets of this measure.")] = None,
    status: Annotated[str | None, Query(description="active, met, missed, lapsed or superseded.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The targets with their baselines, dates and states."""
    rows = queries.entries.listed(
        session, Target, after=last_id(cursor), limit=limit, known_at=known_at,
        programme=programme, measure=measure, status=status,
    )  # fmt: skip
    stamp = queries.stamp(session, Target.__tablename__, known_at=known_at)
    return answer_page(request, rows, limit=limit, key=lambda row: [row["id"]], stamp=stamp)


@router.get("/v1/targets/{target}", response_model=schemas.Target, responses=problems(UnknownTarget), tags=["targets"])
def get_target(request: Request, target: TargetId, _: MayRead, session: Session, known_at: KnownAt = None) -> Response:
    """One target."""
    return answer_with_etag(request, queries.entries.one(session, Target, target, known_at=known_at))
