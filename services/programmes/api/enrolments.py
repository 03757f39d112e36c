"""Enrolments over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.programmes import commands, queries, schemas, sent
from services.programmes.api.asking import (
    ONCE,
    AsKnown,
    Day,
    KnownAt,
    MayRead,
    Reading,
    Why,
    Writing,
    answer_page,
    last_id,
    made,
)
from services.programmes.models import Programme
from services.programmes.problems import (
    AlreadyThere,
    InvalidEnrolment,
    NotYours,
    UnknownEnrolment,
    UnknownOrganisation,
    UnknownProgramme,
)
from shared.caching import PreconditionFailed, answer_with_etag, demand_match
from shared.contracts.periods import Grain
from shared.db import Session, now
from shared.paging import Cursor, Limit
from shared.problems import problems
from shared.repeats import IdempotencyKeyReused

router = APIRouter(tags=["enrolments"])
EnrolmentId = Annotated[str, Path(description="The enrolment's id.")]
ChangeIdea = Annotated[str | None, Query(description="Only this change idea.")]


@router.get("/v1/enrolments", response_model=schemas.Enrolments, responses=problems(UnknownOrganisation))
def list_enrolments(
    request: Request,
    caller: Reading,
    session: Session,
    hierarchy: AsKnown,
    at: Day,
    known_at: KnownAt = None,
    organisation: Annotated[str | None, Query(description="Only this organisation's.")] = None,
    within: Annotated[str | None, Query(description="Only those of organisations that lay within this one.")] = None,
    programme: Annotated[str | None, Query(description="Only in this programme.")] = None,
    change_idea: ChangeIdea = None,
    stage: Annotated[schemas.Stage | None, Query(description="Only at this stage.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Who takes part in what, at which stage: your own organisations, what lies within them, and what holds them."""
    rows = queries.enrolments.listed(
        session,
        caller,
        after=last_id(cursor),
        limit=limit,
        organisation=organisation and queries.organisations.code_of(hierarchy, organisation),
        within=within and hierarchy.members(queries.organisations.code_of(hierarchy, within), at),
        programme=programme,
        change_idea=change_idea,
        stage=stage,
        known_at=known_at,
    )
    stamp = queries.stamp(session, queries.enrolments.KIND, known_at=known_at)
    return answer_page(request, rows, limit=limit, key=lambda row: [row["id"]], stamp=stamp)


@router.post(
    "/v1/enrolments",
    dependencies=ONCE,
    status_code=201,
    response_model=schemas.Enrolment,
    responses=problems(NotYours, UnknownOrganisation, AlreadyThere, InvalidEnrolment, IdempotencyKeyReused),
)
def enrol(
    request: Request, body: sent.EnrolmentSent, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """An organisation joins a programme, or takes up one of its change ideas."""
    code = queries.organisations.code_of(caller.hierarchy, body.organisation)
    caller.demand(code)
    joining = commands.Joining(code, body.programme, body.change_idea, body.stage, body.since or caller.today)
    row = commands.enrol(session, joining, commands.Act(caller.who, now(), reason))
    return made(
        request, queries.enrolments.one(session, caller, row.enrolment), f"/v1/enrolments/{row.enrolment}", session
    )


@router.get("/v1/enrolments/{enrolment}", response_model=schemas.Enrolment, responses=problems(UnknownEnrolment))
def get_enrolment(
    request: Request, enrolment: EnrolmentId, caller: Reading, session: Session, known_at: KnownAt = None
) -> Response:
    """One enrolment, with the stages it went through."""
    return answer_with_etag(request, queries.enrolments.one(session, caller, enrolment, known_at=known_at))


@router.put(
    "/v1/enrolments/{enrolment}",
    response_model=schemas.Enrolment,
    responses=problems(NotYours, UnknownEnrolment, AlreadyThere, InvalidEnrolment, PreconditionFailed),
)
def move_enrolment_on(
    request: Request,
    enrolment: EnrolmentId,
    body: sent.EnrolmentMoved,
    caller: Writing,
    session: Session,
    reason: Why = None,
) -> Response:
    """The organisation reached another stage, or left (`until`)."""
    commands.take_turn(session, queries.enrolments.KIND, enrolment)
    before = queries.enrolments.one(session, caller, enrolment)
    caller.demand(before["organisation"])
    demand_match(request, before)
    act = commands.Act(caller.who, now(), reason)
    commands.move_on(session, enrolment, act, stage=body.stage, since=body.since, until=body.until)
    return answer_with_etag(request, queries.enrolments.one(session, caller, enrolment))


@router.get(
    "/v1/programmes/{programme}/adoption",
    response_model=schemas.Adoption,
    responses=problems(UnknownProgramme, UnknownOrganisation),
)
def get_adoption(
    request: Request,
    programme: Annotated[str, Path(description="The programme's id.")],
    _: MayRead,
    session: Session,
    hierarchy: AsKnown,
    at: Day,
    change_idea: ChangeIdea = None,
    within: Annotated[str | None, Query(description="Only organisations within this one.")] = None,
    period: Annotated[Grain, Query(description="The step of the curve.")] = "month",
) -> Response:
    """The adoption curve up to a day: how many organisations were at each stage, and had reached at least it."""
    queries.entries.found(session, Programme, programme)
    code = within and queries.organisations.code_of(hierarchy, within)
    codes = (code, *hierarchy.members(code, at)) if code else None
    points = queries.enrolments.adoption(
        session, codes, programme=programme, change_idea=change_idea, grain=period, last=at
    )
    head = {"programme": programme, "change_idea": change_idea, "within": code, "at": at}
    return answer_with_etag(request, head | {"items": points} | queries.stamp(session, queries.enrolments.KIND))
