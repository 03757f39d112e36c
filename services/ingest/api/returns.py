"""Returns: who has said what, and which version is current."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.ingest import schemas
from services.ingest.api.callers import KnownAt, MayRead, OrgBasis, WhatIsKnown, period_of
from services.ingest.queries import returns
from shared import media, paging
from shared.contracts.windows import london_day
from shared.db import Session, now
from shared.tables import TableForm, table

router = APIRouter(tags=["Ingest"])


@router.get("/v1/returns", responses=media.tables(schemas.Returns), response_class=Response)
def list_returns(
    request: Request,
    response: Response,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: Annotated[str | None, Query(description="Only of this feed.")] = None,
    organisation: Annotated[str | None, Query(description="Only of this organisation.")] = None,
    period: Annotated[str | None, Query(description="Only of this period.")] = None,
    known_at: KnownAt = None,
    org_basis: OrgBasis = "as_was",
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
    form: TableForm = None,
) -> Response:
    """Versions of returns, in order of feed, organisation, period and version, each under the code it came with."""
    if feed is not None:
        known.feed(feed)
    if period is not None:
        period_of(period)
    yours = known.yours(caller, on=london_day(now()))
    name = None if organisation is None else organisation.strip().upper()
    one = known.reference.organisations.get(name) if name else None
    wanted = None if name is None else {one.code if one else name}
    visible = wanted if yours is None else yours if wanted is None else yours & wanted
    found = returns.versions(
        session,
        feed=feed,
        organisations=visible,
        period=period,
        after=paging.decode(cursor, parts=(str, str, str, int)),
        limit=limit,
        at=known_at,
    )
    feeds = None if feed is None else [feed]
    stamp = returns.stamp(session, feeds=feeds, organisations=visible, period=period, at=known_at)
    page = paging.page(
        found,
        limit=limit,
        key=lambda one: [one["feed"], one["organisation"], one["period"], one["version"]],
        request=request,
        response=response,
    )
    told = page | stamp | {"org_basis": org_basis}
    columns = list(schemas.ReturnVersion.model_fields)
    return table(request, told, form=form, name="returns", columns=columns, headers=dict(response.headers))
