"""What ingest asks on behalf of a sender: what would returns change that it has not taken? Behind the gateway only."""

from typing import Annotated, Any

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Depends, Request

from services.measures import commands
from services.measures.queries.asking import Asked
from shared.contracts.ingest import ReturnPublished
from shared.db import Session
from shared.principal import Principal, Requires
from shared.problems import InvalidRequest

router = APIRouter(prefix="/internal/rehearsals", include_in_schema=False)
MaySend = Annotated[Principal, Depends(Requires("submissions:write"))]


async def returns(request: Request) -> list[ReturnPublished]:
    """The returns in the body (MessagePack). Raises InvalidRequest."""
    try:
        return await anyio.to_thread.run_sync(_decode, await request.body())
    except msgspec.DecodeError as error:
        raise InvalidRequest("the body must be a list of returns in MessagePack") from error


@router.post("")
def rehearse_returns(
    session: Session, caller: MaySend, events: Annotated[list[ReturnPublished], Depends(returns)]
) -> dict[str, Any]:
    """The cells, signals and targets that would change."""
    return commands.rehearse(session, events, Asked(caller))


def _decode(body: bytes) -> list[ReturnPublished]:
    return msgspec.msgpack.decode(body, type=list[ReturnPublished])
