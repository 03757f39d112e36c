"""The body of a submission as it arrives: hashed, counted, and spooled so that memory stays bounded."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Annotated

from fastapi import Depends, Request

from services.ingest.commands.body import Body
from services.ingest.problems import TooLarge
from services.ingest.settings import IngestSettings


async def received(request: Request) -> AsyncIterator[Body]:
    """Read the whole body. Raises TooLarge; a body cut off half-way ends the request with nothing stored."""
    settings: IngestSettings = request.app.state.settings
    async with _spool(settings) as spool:
        digest, size = hashlib.sha256(), 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > settings.largest_body:
                raise TooLarge(f"a body may have {settings.largest_body:,} bytes: send the file in parts")
            digest.update(chunk)
            spool.write(chunk)
        yield Body(spool, digest.hexdigest(), size)


@asynccontextmanager
async def _spool(settings: IngestSettings) -> AsyncIterator[IO[bytes]]:
    with tempfile.SpooledTemporaryFile(max_size=settings.spool_in_memory) as spool:
        yield spool


Received = Annotated[Body, Depends(received)]
