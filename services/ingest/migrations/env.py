"""Migrations of the database `ingest`."""

from services.ingest.models import Base
from shared.migrations import run

run(Base.metadata)
