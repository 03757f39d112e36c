"""Organisations over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import Discriminator, Tag

from services.programmes import commands, queries, schemas, sent
from services.programmes.api.asking import (
    ONCE,
    AsKnown,
    Day,
    KnownAt,
    MayRead,
    Remembered,
    Why,
    Writing,
    answer_page,
    last_id,
    made,
)
from services.programmes.problems import AlreadyThere, InvalidOrganisation, NotYours, UnknownOrganisation
from shared.caching import PreconditionFailed, answer_with_etag, demand_match
from shared.db import Session, now
from shared.paging import Cursor, Limit
from shared.problems import problems
from shared.repeats import IdempotencyKeyReused, remember

router = APIRouter(prefix="/v1/organisations", tags=["organisations"], responses=problems(UnknownOrganisation))
Code = Annotated[str, Path(description="The organisation's code, or any other identifier it has (CQC, ONS).")]
OneOrMany = Annotated[
    Annotated[sent.OrganisationSent, Tag("one")] | Annotated[list[sent.OrganisationSent], Tag("many")],
    Discriminator(lambda body: "many" if isinstance(body, list) else "one"),
]
Kind = Annotated[schemas.OrganisationKind | None, Query(description="Only organisations of this kind.")]


@router.get("", response_model=schemas.Organisations)
def list_organisations(
    request: Request,
    _: MayRead,
    session: Session,
    hierarchy: AsKnown,
    at: Day,
    known_at: KnownAt = None,
    kind: Kind = None,
    within: Annotated[str | None, Query(description="Only those that lay within this organisation.")] = None,
    q: Annotated[str | None, Query(min_length=2, max_length=100, description="Beginnings of words, or a code.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The organisations that were open on a day, in order of their code."""
    after = last_id(cursor)
    rows = queries.organisations.listed(
        session, hierarchy, at=at, after=after, limit=limit, kind=kind, within=within, q=q, known_at=known_at
    )
    stamp = queries.stamp(session, queries.organisations.KIND, known_at=known_at) | {"at": at}
    return answer_page(request, rows, limit=limit, key=lambda row: [row["code"]], stamp=stamp)


@router.get("/{code}", response_model=schemas.OrganisationAround)
def get_organisation(
    request: Request,
    code: Code,
    _: MayRead,
    session: Session,
    hierarchy: AsKnown,
    at: Day,
    known_at: KnownAt = None,
    around: Annotated[bool, Query(description="With its ancestors, its members, and who stands for it.")] = False,
) -> Response:
    """One organisation, open or closed, by its code or any identifier; with all around it on the day, if asked."""
    shown = queries.organisations.one(session, hierarchy, code, at=at, known_at=known_at)
    if around:
        shown |= queries.organisations.around(session, hierarchy, shown["code"], at=at, known_at=known_at)
    return answer_with_etag(request, shown)


@router.get("/{code}/ancestors", response_model=schemas.Ancestors)
def list_ancestors(
    request: Request, code: Code, _: MayRead, session: Session, hierarchy: AsKnown, at: Day, known_at: KnownAt = None
) -> Response:
    """Everything that held the organisation on a day, nearest first in each hierarchy."""
    items = queries.organisations.ancestors(session, hierarchy, code, at=at, known_at=known_at)
    stamp = queries.stamp(session, queries.organisations.KIND, known_at=known_at)
    return answer_with_etag(request, {"items": items, "next_cursor": None, "at": at, **stamp})


@router.get("/{code}/members", response_model=schemas.Organisations)
def list_members(
    request: Request,
    code: Code,
    _: MayRead,
    session: Session,
    hierarchy: AsKnown,
    at: Day,
    known_at: KnownAt = None,
    kind: Kind = None,
    step: Annotated[
        sent.HierarchyName | None,
        Query(alias="hierarchy", description="By this hierarchy: icb is where published files place a trust."),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """The organisations that lay within one on a day, each once, in order of their code."""
    rows = queries.organisations.listed(
        session,
        hierarchy,
        at=at,
        after=last_id(cursor),
        limit=limit,
        kind=kind,
        within=code,
        step=step,
        known_at=known_at,
    )
    stamp = queries.stamp(session, queries.organisations.KIND, known_at=known_at) | {"at": at}
    return answer_page(request, rows, limit=limit, key=lambda row: [row["code"]], stamp=stamp)


@router.get("/{code}/successors", response_model=schemas.Successors)
def list_successors(
    request: Request, code: Code, _: MayRead, session: Session, hierarchy: AsKnown, at: Day, known_at: KnownAt = None
) -> Response:
    """Where the organisation's work went, and who stands for it on a day; more than one is a split."""
    return answer_with_etag(
        request, queries.organisations.successors(session, hierarchy, code, at=at, known_at=known_at)
    )


@router.post(
    "",
    dependencies=ONCE,
    status_code=201,
    response_model=schemas.OrganisationInFull | schemas.Registered,
    responses=problems(NotYours, AlreadyThere, InvalidOrganisation, IdempotencyKeyReused),
)
def register_organisations(
    request: Request,
    body: Annotated[OneOrMany, Body()],
    caller: Writing,
    session: Session,
    kept: Remembered,
    reason: Why = None,
) -> Response:
    """Register an organisation, or up to 10,000 at once (an array), under organisations that you act for.

    One that exists already is a 409 when it is sent alone; in an array it is brought to what is said of it.
    """
    act = commands.Act(caller.who, now(), reason)
    if isinstance(body, list):
        written = commands.register_organisations(
            session, [one.state() for one in body], act, caller=caller, keeping=_keeping(*body)
        )
        unchanged = len(body) - written.registered - written.changed
        told = {**written._asdict(), "unchanged": unchanged}
        return remember(request, session, answer_with_etag(request, told, status=201))
    if caller.hierarchy.code_of(body.code) is not None:
        raise AlreadyThere(f"{body.code} is registered: change it with PUT /v1/organisations/{body.code}")
    commands.register_organisations(session, [body.state()], act, caller=caller)
    shown = queries.organisations.one(session, kept.beside(session), body.code, at=caller.today)
    return made(request, shown, f"/v1/organisations/{body.code}", session)


@router.put(
    "/{code}",
    response_model=schemas.OrganisationInFull,
    responses=problems(NotYours, InvalidOrganisation, PreconditionFailed),
)
def change_organisation(
    request: Request,
    code: Code,
    body: sent.OrganisationSent,
    caller: Writing,
    session: Session,
    kept: Remembered,
    reason: Why = None,
) -> Response:
    """Change an organisation: send the whole of what is true of it. What it was stays on record.

    What you change of one that the national catalogue or a file tells of is kept against them from then on, and so
    needs a `reason`; leave a fact out of `overrides` to let them say it again.
    """
    commands.take_turn(session, queries.organisations.KIND, code)
    before = queries.organisations.one(session, kept.known(session), code, at=caller.today)
    if body.code != before["code"]:
        raise InvalidOrganisation(
            "a code stays with its organisation", errors=[{"pointer": "/code", "message": "stays"}]
        )
    demand_match(request, before)
    act = commands.Act(caller.who, now(), reason)
    commands.register_organisations(session, [body.state()], act, caller=caller, keeping=_keeping(body))
    return answer_with_etag(
        request, queries.organisations.one(session, kept.beside(session), body.code, at=caller.today)
    )


def _keeping(*sent_ones: sent.OrganisationSent) -> dict[str, frozenset[str]]:
    """Which facts are to stay kept by hand, for the organisations of which that was said."""
    return {one.code: frozenset(one.overrides) for one in sent_ones if one.overrides is not None}
