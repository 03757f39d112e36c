"""Who may send and who may read, and what is known of feeds and organisations when they do."""

from typing import Annotated

from fastapi import Depends, Request

from services.ingest.queries.reference import Known, ReferenceBook
from shared.db import Session
from shared.principal import Principal, Requires

MaySend = Annotated[Principal, Depends(Requires("submissions:write"))]
MayRead = Annotated[Principal, Depends(Requires("submissions:read"))]


def _known(request: Request, session: Session) -> Known:
    book: ReferenceBook = request.app.state.reference
    return book.known(session)


WhatIsKnown = Annotated[Known, Depends(_known)]
