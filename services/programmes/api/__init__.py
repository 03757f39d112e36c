"""The registry's door for HTTP, one file for each kind of thing."""

from services.programmes.api import annotations, changes, enrolments, measures, organisations, programmes

ROUTERS = (
    programmes.router,
    measures.router,
    organisations.router,
    enrolments.router,
    annotations.router,
    changes.router,
)
