"""The registry over HTTP."""

from fastapi import FastAPI

import services.programmes
from services.programmes.api import ROUTERS
from services.programmes.hierarchy import Hierarchies
from services.programmes.models import Answer
from services.programmes.settings import ProgrammesSettings
from shared import repeats
from shared.db import Database
from shared.messaging.counts import message_counts
from shared.service import create_service


def create_app(settings: ProgrammesSettings, database: Database | None = None) -> FastAPI:
    """The service's app, on the database it is given or on its own connections."""
    database = database or Database(
        settings.database_url, pool_size=settings.pool_size, statement_seconds=settings.statement_seconds
    )
    description = (services.programmes.__doc__ or "").split("\n")[0]
    app = create_service(
        settings, database=database, routers=ROUTERS, counts=message_counts(database), description=description
    )
    app.state.hierarchies = Hierarchies()
    repeats.install(app, repeats.FirstAnswers(Answer))
    return app
