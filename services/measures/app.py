"""The HTTP side of measures."""

from fastapi import FastAPI

from services.measures.api import ROUTERS
from services.measures.settings import MeasuresSettings
from shared.db import Database
from shared.messaging.counts import message_counts
from shared.service import create_service


def create_app(settings: MeasuresSettings) -> FastAPI:
    """The app, on its own connections."""
    database = Database(settings.database_url, pool_size=settings.pool_size)
    return create_service(
        settings,
        database=database,
        routers=ROUTERS,
        counts=message_counts(database),
        description="Figures, charts and statistics.",
    )
