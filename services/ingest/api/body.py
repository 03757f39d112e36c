"""The body of a submission as it arrives: hashed, counted, and spooled so that memory stays bounded."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Annotated

from fastapi import Depends, Request

from services.ingest.api.turns import Turns, demand_room
from services.ingest.commands.body import Body
from services.ingest.problems import TooLarge
from services.ingest.settings import IngestSettings

_LOOK_EVERY = 64_000_000


async def received(request: Request) -> AsyncIterator[Body]:
    """Read the whole body and wait for its turn. Raises TooLarge, NoRoom or TooBusy; a body cut off half-way ends the
    request with nothing stored."""
    settings: IngestSettings = request.app.state.settings
    turns: Turns = request.app.state.turns
    _demand_room(settings, _declared(request))
    async with _spool(settings) as spool:
        digest, size, looked = hashlib.sha256(), 0, 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > settings.largest_body:
                raise TooLarge(f"a body may have {settings.largest_body:,} bytes: send the file in parts")
            if size - looked > _LOOK_EVERY:
                looked = size
                _demand_room(settings, 0)
            digest.update(chunk)
            spool.write(chunk)
        async with turns.turn(size):
            yield Body(spool, digest.hexdigest(), size)


def _declared(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _demand_room(settings: IngestSettings, coming: int) -> None:
    volumes = [] if settings.database_volume is None else [settings.database_volume]
    demand_room(volumes, spare=settings.spare_room, coming=min(coming, settings.largest_body))


@asynccontextmanager
async def _spool(settings: IngestSettings) -> AsyncIterator[IO[bytes]]:
    with tempfile.SpooledTemporaryFile(max_size=settings.spool_in_memory) as spool:
        yield spool


Received = Annotated[Body, Depends(received)]
