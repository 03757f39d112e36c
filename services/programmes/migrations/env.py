"""Migrations of the database `programmes`."""

from services.programmes.models import Base
from shared.migrations import run

run(Base.metadata)
