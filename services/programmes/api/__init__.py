"""The registry's door for HTTP, one file for each kind of thing."""

from services.programmes.api import annotations, changes, enrolments, feeds, measures, organisations, programmes

ROUTERS = (
    programmes.router,
    measures.router,
    feeds.router,
    organisations.router,
    enrolments.router,
    annotations.router,
    changes.router,
)
