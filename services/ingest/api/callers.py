"""Who may send and who may read, and what is known of feeds and organisations when they do."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Query, Request

from services.ingest.queries.reference import Known, ReferenceBook
from shared.contracts.periods import Period
from shared.db import Session
from shared.instants import Instant
from shared.principal import Principal, Requires, caller
from shared.problems import InvalidRequest

MaySend = Annotated[Principal, Depends(Requires("submissions:write"))]
MayRead = Annotated[Principal, Depends(Requires("submissions:read"))]


def _known(request: Request, session: Session, principal: Annotated[Principal, Depends(caller)]) -> Known:
    book: ReferenceBook = request.app.state.reference
    known = book.known(session)
    return replace(known, reference=known.reference.all_closed()) if principal.supposed.closed else known


def period_of(text: str, parameter: str = "period") -> Period:
    """The period in a parameter. Raises InvalidRequest, which names the parameter."""
    try:
        return Period.parse(text)
    except ValueError as reason:
        raise InvalidRequest(str(reason), errors=[{"parameter": parameter, "message": str(reason)}]) from reason


KnownAt = Annotated[
    Instant | None, Query(description="What had been sent by this instant (RFC 3339); by now if left out.")
]
OrgBasis = Annotated[
    Literal["as_was", "as_is_now"],
    Query(description="Who lies within an organisation: as it was at the end of the period, or as it is now."),
]
WhatIsKnown = Annotated[Known, Depends(_known)]
