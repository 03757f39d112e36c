"""The HTTP side of ingest."""

from fastapi import FastAPI

from services.ingest.api import ROUTERS
from services.ingest.api.turns import Turns
from services.ingest.queries.reference import ReferenceBook
from services.ingest.settings import IngestSettings
from shared.db import Database
from shared.messaging.counts import message_counts
from shared.service import create_service


def create_app(settings: IngestSettings) -> FastAPI:
    """The app, on its own connections."""
    database = Database(settings.database_url, pool_size=settings.pool_size)
    app = create_service(
        settings,
        database=database,
        routers=ROUTERS,
        counts=message_counts(database),
        description="Rows in, receipts out.",
    )
    app.state.reference = ReferenceBook()
    app.state.turns = Turns(
        large=settings.large_body, at_once=settings.large_at_once, most_waiting=settings.large_waiting
    )
    return app
