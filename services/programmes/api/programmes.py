"""Programmes and targets over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from services.programmes import commands, queries, schemas, sent
from services.programmes.api.asking import (
    ONCE,
    AsKnown,
    Day,
    KnownAt,
    MayRead,
    Why,
    Writing,
    answer_page,
    last_id,
    made,
)
from services.programmes.footprint import Footprint
from services.programmes.models import Programme, Target
from services.programmes.problems import (
    AlreadyThere,
    InvalidProgramme,
    InvalidTarget,
    NotYours,
    UnknownOrganisation,
    UnknownProgramme,
    UnknownTarget,
)
from services.programmes.rules.driver_diagram import drawn, driver_diagram
from shared.caching import PreconditionFailed, answer_with_etag, demand_match
from shared.db import Session, now
from shared.paging import Cursor, Limit
from shared.problems import problems
from shared.repeats import IdempotencyKeyReused

router = APIRouter(tags=["programmes"])
ProgrammeId = Annotated[str, Path(description="The programme's id, such as matneosip.")]
TargetId = Annotated[str, Path(description="The target's id.")]


@router.get("/v1/programmes", response_model=schemas.Programmes)
def list_programmes(
    request: Request,
    _: MayRead,
    session: Session,
    known_at: KnownAt = None,
    status: Annotated[schemas.ProgrammeStatus | None, Query(description="Only programmes in this state.")] = None,
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
    status: Annotated[schemas.TargetStatus | None, Query(description="Only targets in this state.")] = None,
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
def get_target(
    request: Request,
    target: TargetId,
    _: MayRead,
    session: Session,
    hierarchy: AsKnown,
    at: Day,
    known_at: KnownAt = None,
) -> Response:
    """One target; one that counts organisations with how many had come far enough on a day (`standing`)."""
    return answer_with_etag(request, queries.targets.one(session, hierarchy, target, at=at, known_at=known_at))


@router.post(
    "/v1/programmes",
    dependencies=ONCE,
    status_code=201,
    response_model=schemas.Programme,
    responses=problems(NotYours, UnknownOrganisation, AlreadyThere, InvalidProgramme, IdempotencyKeyReused),
)
def register_programme(
    request: Request, body: sent.ProgrammeSent, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Register a programme of an organisation that you act for."""
    owner = _owner(body.organisation, caller)
    commands.take_turn(session, Programme.__tablename__, body.id)
    commands.register_programme(session, body.document(), owner, commands.Act(caller.who, now(), reason))
    return made(request, queries.entries.programme(session, body.id), f"/v1/programmes/{body.id}", session)


@router.put(
    "/v1/programmes/{programme}",
    response_model=schemas.Programme,
    responses=problems(NotYours, UnknownProgramme, InvalidProgramme, PreconditionFailed),
)
def revise_programme(
    request: Request,
    programme: ProgrammeId,
    body: sent.ProgrammeSent,
    caller: Writing,
    session: Session,
    reason: Why = None,
) -> Response:
    """Revise a programme: send the whole of it. It gets the next version, unless you name a later one."""
    commands.take_turn(session, Programme.__tablename__, programme)
    before = queries.entries.programme(session, programme)
    caller.demand(before["organisation"])
    demand_match(request, before)
    if body.id != programme or body.organisation not in (None, before["organisation"]):
        raise InvalidProgramme("the id of a programme and whose it is stay as they are")
    document = _next(body.document(), before)
    commands.revise_programme(session, document, commands.Act(caller.who, now(), reason))
    return answer_with_etag(request, queries.entries.programme(session, programme))


@router.get(
    "/v1/programmes/{programme}/driver-diagram",
    response_model=schemas.DriverDiagram,
    responses=problems(UnknownProgramme) | {200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}},
)
def get_driver_diagram(
    request: Request,
    programme: ProgrammeId,
    _: MayRead,
    session: Session,
    known_at: KnownAt = None,
    form: Annotated[Literal["json", "svg"] | None, Query(alias="format", description="By Accept if left out.")] = None,
) -> Response:
    """Aims, primary and secondary drivers and change ideas, and what serves what; as JSON or drawn."""
    shown = queries.entries.programme(session, programme, known_at=known_at)
    diagram = driver_diagram(shown)
    if form == "svg" or (form is None and "image/svg+xml" in request.headers.get("Accept", "")):
        return answer_with_etag(request, drawn(diagram).encode(), media_type="image/svg+xml", headers=VARY)
    return answer_with_etag(request, diagram | {key: shown[key] for key in ("as_of", "data_version")}, headers=VARY)


@router.post(
    "/v1/targets",
    dependencies=ONCE,
    status_code=201,
    response_model=schemas.Target,
    responses=problems(NotYours, AlreadyThere, InvalidTarget, IdempotencyKeyReused),
    tags=["targets"],
)
def set_target(
    request: Request, body: sent.TargetSent, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Agree a target for an organisation that you act for."""
    document = _scoped(body, caller)
    commands.take_turn(session, Target.__tablename__, body.id)
    commands.set_target(session, document, commands.Act(caller.who, now(), reason))
    shown = queries.targets.one(session, caller.hierarchy, body.id, at=caller.today)
    return made(request, shown, f"/v1/targets/{body.id}", session)


@router.put(
    "/v1/targets/{target}",
    response_model=schemas.Target,
    responses=problems(NotYours, UnknownTarget, InvalidTarget, PreconditionFailed),
    tags=["targets"],
)
def revise_target(
    request: Request, target: TargetId, body: sent.TargetSent, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Revise a target, or say what became of it: send the whole of it. It gets the next version."""
    commands.take_turn(session, Target.__tablename__, target)
    before = queries.targets.one(session, caller.hierarchy, target, at=caller.today)
    caller.demand(before["organisation"])
    demand_match(request, before)
    if body.id != target:
        raise InvalidTarget("the id of a target stays as it is", errors=[{"pointer": "/id", "message": "stays"}])
    document = _next(_scoped(body, caller), before)
    commands.revise_target(session, document, commands.Act(caller.who, now(), reason))
    return answer_with_etag(request, queries.targets.one(session, caller.hierarchy, target, at=caller.today))


VARY = {"Vary": "Accept"}


def _owner(organisation: str | None, caller: Footprint) -> str:
    if organisation is None:
        if caller.principal.for_everyone or len(caller.principal.organisations) != 1:
            message = "say whose programme it is"
            raise InvalidProgramme(message, errors=[{"pointer": "/organisation", "message": message}])
        organisation = next(iter(caller.principal.organisations))
    code = queries.organisations.code_of(caller.hierarchy, organisation)
    caller.demand(code)
    return code


def _scoped(body: sent.TargetSent, caller: Footprint) -> dict[str, Any]:
    """The target with the code of its scope, which the caller must act for."""
    code = caller.hierarchy.code_of(body.scope)
    if code is None:
        message = f"{body.scope!r} is not a registered organisation"
        raise InvalidTarget(message, errors=[{"pointer": "/scope", "message": message}])
    caller.demand(code)
    return body.document() | {"scope": code}


def _next(document: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Without the version that was read and sent back: the revision gets the next."""
    return {key: value for key, value in document.items() if key != "version" or value != before["version"]}
