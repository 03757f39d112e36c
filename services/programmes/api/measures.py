"""Measures over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator

from services.programmes import commands, queries, schemas, sent
from services.programmes.api.asking import ONCE, KnownAt, MayRead, Reading, Why, Writing, answer_page, last_id, made
from services.programmes.models import Measure
from services.programmes.problems import (
    AlreadyThere,
    InvalidDefinition,
    NoDraft,
    NotYours,
    SecondPersonNeeded,
    UnknownMeasure,
)
from shared.caching import PreconditionFailed, answer_with_etag, demand_match
from shared.db import Session, now
from shared.paging import Cursor, Limit
from shared.problems import problems
from shared.repeats import IdempotencyKeyReused, remember

router = APIRouter(prefix="/v1/measures", tags=["measures"], responses=problems(UnknownMeasure))
KIND = Measure.__tablename__
MeasureId = Annotated[str, AfterValidator(str.lower), Path(description="The measure's id, such as mn-cqimpreterm.")]


@router.get("", response_model=schemas.Measures)
def list_measures(
    request: Request,
    caller: Reading,
    session: Session,
    known_at: KnownAt = None,
    programme: Annotated[str | None, Query(description="Only measures of this programme.")] = None,
    kind: Annotated[schemas.MeasureKind | None, Query(description="Only measures of this kind.")] = None,
    status: Annotated[schemas.MeasureStatus | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The published measures with their definitions; or, with `status=draft`, the drafts you may see."""
    if status == "draft":
        drafts = queries.drafts.listed(
            session, caller, after=last_id(cursor), limit=limit, programme=programme, kind=kind
        )
        stamp = queries.stamp(session, queries.drafts.KIND)
        return answer_page(request, drafts, limit=limit, key=lambda row: [row["id"]], stamp=stamp)
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


@router.get("/{measure}/versions", response_model=schemas.MeasureVersions)
def list_measure_versions(request: Request, measure: MeasureId, _: MayRead, session: Session) -> Response:
    """Every published version of one measure, newest first, each with what it changed: wording, numerator, all."""
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


@router.post(
    "",
    dependencies=ONCE,
    status_code=201,
    response_model=schemas.Draft,
    responses=problems(NotYours, AlreadyThere, InvalidDefinition, IdempotencyKeyReused),
)
def draft_measure(
    request: Request, body: sent.Definition, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Begin a draft: of a new measure, or of the next version of a published one."""
    if body.id is None:
        raise InvalidDefinition("a new measure needs an id", errors=[{"pointer": "/id", "message": "is needed"}])
    commands.take_turn(session, KIND, body.id)
    proposed = commands.proposal(session, body.definition(), caller)
    commands.draft_measure(session, proposed, commands.Act(caller.who, now(), reason))
    shown = queries.drafts.one(session, caller, proposed.measure)
    return made(request, shown, f"/v1/measures/{proposed.measure}/draft", session)


@router.get("/{measure}/draft", response_model=schemas.Draft, responses=problems(NoDraft))
def get_measure_draft(request: Request, measure: MeasureId, caller: Reading, session: Session) -> Response:
    """The draft of a measure of an organisation that you act for."""
    return answer_with_etag(request, queries.drafts.one(session, caller, measure))


@router.put(
    "/{measure}/draft",
    response_model=schemas.Draft,
    responses=problems(NotYours, InvalidDefinition, PreconditionFailed),
)
def put_measure_draft(
    request: Request, measure: MeasureId, body: sent.Definition, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Change the draft, or begin one. `If-Match` guards against overwriting what somebody else wrote meanwhile."""
    if body.id not in (None, measure):
        message = f"the address says {measure}: a measure's id stays"
        raise InvalidDefinition(message, errors=[{"pointer": "/id", "message": message}])
    commands.take_turn(session, KIND, measure)
    proposed = commands.proposal(session, body.definition(measure), caller)
    demand_match(request, queries.drafts.one_or_none(session, caller, measure))
    commands.redraft_measure(session, proposed, commands.Act(caller.who, now(), reason))
    return answer_with_etag(request, queries.drafts.one(session, caller, measure))


@router.delete("/{measure}/draft", status_code=204, responses=problems(NoDraft, PreconditionFailed))
def discard_measure_draft(
    request: Request, measure: MeasureId, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Throw the draft away."""
    commands.take_turn(session, KIND, measure)
    demand_match(request, queries.drafts.one(session, caller, measure))
    commands.discard_draft(session, measure, caller, commands.Act(caller.who, now(), reason))
    return Response(status_code=204)


@router.post(
    "/{measure}/publish",
    dependencies=ONCE,
    response_model=schemas.Measure,
    responses=problems(NoDraft, SecondPersonNeeded, InvalidDefinition, PreconditionFailed, IdempotencyKeyReused),
)
def publish_measure(
    request: Request, measure: MeasureId, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Publish the draft. Who wrote it cannot publish it; a published version never changes."""
    commands.take_turn(session, KIND, measure)
    demand_match(request, queries.drafts.one(session, caller, measure))
    commands.publish_measure(session, measure, caller, commands.Act(caller.who, now(), reason))
    return remember(request, session, answer_with_etag(request, queries.entries.one(session, Measure, measure)))


@router.post(
    "/{measure}/retire",
    dependencies=ONCE,
    response_model=schemas.Measure,
    responses=problems(NotYours, PreconditionFailed, IdempotencyKeyReused),
)
def retire_measure(
    request: Request, measure: MeasureId, caller: Writing, session: Session, reason: Why = None
) -> Response:
    """Retire a measure: its figures stay, and no more are made."""
    commands.take_turn(session, KIND, measure)
    demand_match(request, queries.entries.one(session, Measure, measure))
    commands.retire_measure(session, measure, caller, commands.Act(caller.who, now(), reason))
    return remember(request, session, answer_with_etag(request, queries.entries.one(session, Measure, measure)))
