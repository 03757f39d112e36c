"""What routes have in common: who asks, on which day, as known when; and how a page is answered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from sqlalchemy.orm import Session as OrmSession

from services.programmes.footprint import Footprint
from services.programmes.hierarchy import Hierarchies, Hierarchy
from services.programmes.schemas import EARLIEST, LATEST
from shared.caching import answer_with_etag
from shared.db import Session, now
from shared.instants import Instant
from shared.paging import decode, page
from shared.principal import Principal, Requires
from shared.repeats import once, remember

MayRead = Annotated[Principal, Depends(Requires("programmes:read"))]
MayWrite = Annotated[Principal, Depends(Requires("programmes:write"))]
ONCE = [Depends(Requires("programmes:write")), Depends(once)]  # who may not write is not told what was answered
KnownAt = Annotated[
    Instant | None,
    Query(description="What the registry knew at this instant (with an offset); what it knows now if left out."),
]
Why = Annotated[str | None, Query(alias="reason", max_length=2000, description="Why; kept with the change.")]


def day(
    at: Annotated[
        date | None,
        Query(ge=EARLIEST, le=LATEST, description="The day it was true; today if left out."),
    ] = None,
) -> date:
    """The day that is asked about."""
    return at or now().date()


Day = Annotated[date, Depends(day)]


def remembered(request: Request) -> Hierarchies:
    """The organisations this process keeps in memory."""
    kept: Hierarchies = request.app.state.hierarchies
    return kept


Remembered = Annotated[Hierarchies, Depends(remembered)]


def hierarchy(kept: Remembered, session: Session, known_at: KnownAt = None) -> Hierarchy:
    """The organisations as known at the instant that is asked about."""
    return kept.known(session, known_at)


AsKnown = Annotated[Hierarchy, Depends(hierarchy)]


def reading(caller: MayRead, session: Session, kept: Remembered) -> Footprint:
    """What the caller may see today."""
    return Footprint(caller, kept.known(session), now().date())


def writing(caller: MayWrite, session: Session, kept: Remembered) -> Footprint:
    """What the caller may change today."""
    return Footprint(caller, kept.known(session), now().date())


Reading = Annotated[Footprint, Depends(reading)]
Writing = Annotated[Footprint, Depends(writing)]


def answer_page(
    request: Request,
    rows: Sequence[dict[str, Any]],
    *,
    limit: int,
    key: Callable[[dict[str, Any]], Sequence[Any]],
    stamp: Mapping[str, Any],
) -> Response:
    """One page of rows, of which one more than `limit` was asked for, with what it is true of and its ETag."""
    links = Response()
    body = page(rows, limit=limit, key=key, request=request, response=links) | dict(stamp)
    headers = {"Link": links.headers["Link"]} if "Link" in links.headers else {}
    return answer_with_etag(request, body, headers=headers)


def last_id(cursor: str | None) -> str | None:
    """The id that a cursor continues after, for lists in order of one id; None for the first page."""
    key = decode(cursor, parts=1)
    return None if key is None else str(key[0])


def made(request: Request, body: Any, place: str, session: OrmSession) -> Response:
    """The answer to a POST that made something: 201, the thing itself, where it is, and its ETag."""
    return remember(request, session, answer_with_etag(request, body, status=201, headers={"Location": place}))
