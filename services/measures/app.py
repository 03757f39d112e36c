"""The HTTP side of measures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from fastapi import FastAPI
from starlette.middleware import Middleware

from services.measures.api import ROUTERS
from services.measures.queries.drafts import Drafts
from services.measures.queries.signals import unjudged
from services.measures.settings import MeasuresSettings
from shared.answers import Edition, KeepAnswers
from shared.contracts.windows import london_day
from shared.db import Database, now
from shared.messaging.counts import message_counts
from shared.principal import Verifier
from shared.service import create_service

CHANNEL = "figures"
"""What the tables that answers depend on tell of every change (migrations)."""
KEPT = (
    "/v1/series", "/v1/charts/", "/v1/funnels/", "/v1/inequalities/", "/v1/matrix", "/v1/signals", "/v1/explain",
    "/v1/targets/",
)  # fmt: skip


def create_app(settings: MeasuresSettings) -> FastAPI:
    """The app, on its own connections."""
    database = Database(
        settings.database_url, pool_size=settings.pool_size, statement_seconds=settings.statement_seconds
    )
    edition = Edition(database, CHANNEL)
    keep = Middleware(
        KeepAnswers,
        paths=KEPT,
        edition=edition,
        verifier=Verifier(settings.principal_key),
        today=lambda: london_day(now()),
        megabytes=settings.answers_kept_mb,
    )
    kept, drafts = settings.answers_kept_mb > 0, Drafts(settings)
    app = create_service(
        settings,
        database=database,
        routers=ROUTERS,
        counts={**message_counts(database), "unjudged": partial(unjudged, database)},
        description="Figures, charts and statistics.",
        middleware=[keep] if kept else [],
        beside=partial(_until_closed, drafts, edition if kept else None),
    )
    app.state.drafts = drafts
    return app


@asynccontextmanager
async def _until_closed(drafts: Drafts, edition: Edition | None) -> AsyncIterator[None]:
    try:
        with nullcontext() if edition is None else edition.listening():
            yield
    finally:
        drafts.close()
