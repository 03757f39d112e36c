"""The HTTP door: submissions and their receipts, returns and their versions."""

from fastapi import APIRouter

from services.ingest.api import kept, returns, submissions

ROUTERS: tuple[APIRouter, ...] = (submissions.router, kept.router, returns.router)
