"""The HTTP door: submissions and their receipts, returns and their versions, what is due and when."""

from fastapi import APIRouter

from services.ingest.api import calendar, kept, quarantine, returns, submissions

ROUTERS: tuple[APIRouter, ...] = (
    submissions.router,
    kept.router,
    returns.router,
    calendar.router,
    quarantine.router,
)
