"""Migrations of the database `measures`."""

from services.measures.models import Base
from shared.migrations import run

run(Base.metadata)
