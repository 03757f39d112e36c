"""Returns: who has said what, and which version is current."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.ingest import schemas
from services.ingest.api.callers import MayRead, WhatIsKnown
from services.ingest.queries import returns
from shared import paging
from shared.caching import answer_with_etag
from shared.db import Session, now

router = APIRouter(tags=["Ingest"])


@router.get("/v1/returns", response_model=schemas.Returns)
def list_returns(
    request: Request,
    response: Response,
    session: Session,
    caller: MayRead,
    known: WhatIsKnown,
    feed: Annotated[str | None, Query(description="Only of this feed.")] = None,
    organisation: Annotated[str | None, Query(description="Only of this organisation.")] = None,
    period: Annotated[str | None, Query(description="Only of this period.")] = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> Response:
    """Versions of returns, in order of feed, organisation, period and version."""
    yours = known.yours(caller, on=now().date())
    wanted = None if organisation is None else {organisation.strip().upper()}
    visible = wanted if yours is None else yours if wanted is None else yours & wanted
    found = returns.versions(
        session,
        feed=feed,
        organisations=None if visible is None else sorted(visible),
        period=period,
        after=paging.decode(cursor, parts=(str, str, str, int)),
        limit=limit,
    )
    page = paging.page(
        found,
        limit=limit,
        key=lambda one: [one["feed"], one["organisation"], one["period"], one["version"]],
        request=request,
        response=response,
    )
    return answer_with_etag(request, page, headers=dict(response.headers))
