"""Annotations over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.programmes import commands, queries, schemas, sent
from services.programmes.api.asking import ONCE, KnownAt, Reading, Why, Writing, answer_page, last_id, made
from services.programmes.footprint import Footprint
from services.programmes.problems import (
    AlreadyThere,
    InvalidAnnotation,
    NotYours,
    SecondPersonNeeded,
    UnknownAnnotation,
    UnknownOrganisation,
)
from shared.caching import PreconditionFailed, answer_with_etag, demand_match
from shared.db import Session, now
from shared.paging import Cursor, Limit
from shared.problems import problems
from shared.repeats import IdempotencyKeyReused, remember

router = APIRouter(prefix="/v1/annotations", tags=["annotations"])
AnnotationId = Annotated[str, Path(description="The annotation's id.")]


@router.get("", response_model=schemas.Annotations, responses=problems(UnknownOrganisation))
def list_annotations(
    request: Request,
    caller: Reading,
    session: Session,
    known_at: KnownAt = None,
    organisation: Annotated[str | None, Query(description="Only of this organisation.")] = None,
    measure: Annotated[str | None, Query(description="Only of this measure.")] = None,
    kind: Annotated[schemas.AnnotationKind | None, Query(description="Only of this kind.")] = None,
    status: Annotated[schemas.AnnotationStatus | None, Query(description="Not withdrawn, if left out.")] = None,
    first: Annotated[date | None, Query(alias="from", description="On or after this day.")] = None,
    last: Annotated[date | None, Query(alias="to", description="On or before this day.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """What is drawn on charts: change ideas begun, PDSA cycles, step changes, known issues."""
    code = organisation and queries.organisations.code_of(caller.hierarchy, organisation)
    rows = queries.annotations.listed(
        session, caller, after=last_id(cursor), limit=limit, first=first, last=last, known_at=known_at,
        organisation=code, measure=measure, kind=kind, status=status,
    )  # fmt: skip
    stamp = queries.stamp(session, queries.annotations.KIND, known_at=known_at)
    return answer_page(request, rows, limit=limit, key=lambda row: [row["id"]], stamp=stamp)


@router.post(
    "",
    dependencies=ONCE,
    status_code=201,
    response_model=schemas.Annotation,
    responses=problems(NotYours, UnknownOrganisation, InvalidAnnotation, IdempotencyKeyReused),
)
def annotate(
    request: Request, body: sent.AnnotationSent, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Record something to draw on charts. A step change is proposed by this; another person accepts it."""
    row = commands.annotate(session, _note(body, caller), commands.Act(caller.who, now(), reason))
    shown = queries.annotations.one(session, caller, row.annotation)
    return made(request, shown, f"/v1/annotations/{row.annotation}", session)


@router.get("/{annotation}", response_model=schemas.Annotation, responses=problems(UnknownAnnotation))
def get_annotation(
    request: Request, annotation: AnnotationId, caller: Reading, session: Session, known_at: KnownAt = None
) -> Response:
    """One annotation."""
    return answer_with_etag(request, queries.annotations.one(session, caller, annotation, known_at=known_at))


@router.put(
    "/{annotation}",
    response_model=schemas.Annotation,
    responses=problems(NotYours, UnknownAnnotation, InvalidAnnotation, PreconditionFailed),
)
def reword_annotation(
    request: Request,
    annotation: AnnotationId,
    body: sent.AnnotationSent,
    caller: Writing,
    session: Session,
    reason: Why = None,
) -> Response:
    """Change what an annotation says; a step change is proposed anew by this."""
    _demand(request, annotation, caller, session)
    commands.reword(session, annotation, _note(body, caller), commands.Act(caller.who, now(), reason))
    return answer_with_etag(request, queries.annotations.one(session, caller, annotation))


@router.post(
    "/{annotation}/accept",
    dependencies=ONCE,
    response_model=schemas.Annotation,
    responses=problems(
        NotYours, SecondPersonNeeded, UnknownAnnotation, AlreadyThere, InvalidAnnotation, IdempotencyKeyReused
    ),
)
def accept_annotation(
    request: Request, annotation: AnnotationId, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Accept a proposed step change, with a reason: limits are recalculated from its day on."""
    _demand(request, annotation, caller, session)
    commands.accept(session, annotation, commands.Act(caller.who, now(), reason))
    return remember(request, session, answer_with_etag(request, queries.annotations.one(session, caller, annotation)))


@router.delete("/{annotation}", status_code=204, responses=problems(NotYours, UnknownAnnotation, PreconditionFailed))
def withdraw_annotation(
    request: Request, annotation: AnnotationId, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Take an annotation off the charts; that it was there stays on record."""
    _demand(request, annotation, caller, session)
    commands.withdraw(session, annotation, commands.Act(caller.who, now(), reason))
    return Response(status_code=204)


def _demand(request: Request, annotation: str, caller: Footprint, session: Session) -> None:
    commands.take_turn(session, queries.annotations.KIND, annotation)
    before = queries.annotations.one(session, caller, annotation)
    caller.demand(before["organisation"])
    demand_match(request, before)


def _note(body: sent.AnnotationSent, caller: Footprint) -> commands.Note:
    code = queries.organisations.code_of(caller.hierarchy, body.organisation)
    caller.demand(code)
    return commands.Note(body.kind, code, body.measure, body.on, body.text, body.evidence)
