"""The HTTP side of ingest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from services.ingest.api import ROUTERS
from services.ingest.api.turns import Turns
from services.ingest.queries.reference import ReferenceBook
from services.ingest.queries.rehearsals import Rehearsals
from services.ingest.settings import IngestSettings
from shared.db import Database
from shared.messaging.counts import message_counts
from shared.service import create_service


def create_app(settings: IngestSettings) -> FastAPI:
    """The app, on its own connections."""
    database = Database(
        settings.database_url, pool_size=settings.pool_size, statement_seconds=settings.statement_seconds
    )
    rehearsals = Rehearsals(settings)
    app = create_service(
        settings,
        database=database,
        routers=ROUTERS,
        counts=message_counts(database),
        description="Rows in, receipts out.",
        beside=partial(_until_closed, rehearsals),
    )
    app.state.reference, app.state.rehearsals = ReferenceBook(), rehearsals
    app.state.turns = Turns(
        large=settings.large_body,
        at_once=settings.large_at_once,
        most_waiting=settings.large_waiting,
    )
    return app


@asynccontextmanager
async def _until_closed(rehearsals: Rehearsals) -> AsyncIterator[None]:
    try:
        yield
    finally:
        rehearsals.close()
